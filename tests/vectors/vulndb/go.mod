module modferry.example/vectors/vulndb

go 1.24
