#![allow(clippy::unwrap_used)]
use super::*;

fn names(bill: &Listing) -> Vec<String> {
    bill.modules.iter().map(ToString::to_string).collect()
}

#[test]
fn cyclonedx_names_modules_by_package_urls() {
    let bill = parse(
        br#"{
          "bomFormat": "CycloneDX", "specVersion": "1.6",
          "metadata": {"component": {"type": "application", "name": "billing", "purl": "pkg:golang/corp.example/billing@(devel)"}},
          "components": [
            {"type": "library", "name": "a", "purl": "pkg:golang/example.com/Upper/a@v1.2.3?type=module&goos=linux#sub/folder",
             "components": [{"type": "library", "purl": "pkg:golang/example.com/in%2Eside@v0.1.0"}]},
            {"type": "library", "purl": "pkg:golang/github.com/old/thing@v2.0.0%2Bincompatible"},
            {"type": "library", "purl": "pkg:golang/std@1.22.0"},
            {"type": "library", "purl": "pkg:npm/%40angular/core@12.3.1"},
            {"type": "library", "purl": "pkg:golang/example.com/none"},
            {"type": "file", "name": "README"}
          ]}"#,
    )
    .unwrap();
    assert_eq!(
        names(&bill),
        [
            "example.com/Upper/a@v1.2.3",
            "example.com/in.side@v0.1.0",
            "github.com/old/thing@v2.0.0+incompatible"
        ]
    );
    assert_eq!(
        bill.notes,
        [
            "what it describes is not asked for (name it to have it carried, too): corp.example/billing@(devel)",
            "without a version that can be asked for, passed over: example.com/none",
            "of other ecosystems, passed over: npm 1",
            "without a package URL, passed over: 1"
        ]
    );
}

#[test]
fn spdx_names_modules_by_external_references() {
    let bill = parse(
        br#"{"spdxVersion": "SPDX-2.3", "packages": [
          {"name": "a", "externalRefs": [
            {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:b"},
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:golang/example.com/a@v1.0.0"}]},
          {"name": "document"}]}"#,
    )
    .unwrap();
    assert_eq!(names(&bill), ["example.com/a@v1.0.0"]);
    assert_eq!(bill.notes, ["without a package URL, passed over: 1"]);
    let bill = parse(
        br#"{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [
          {"type": "SpdxDocument"},
          {"type": "software_Package", "software_packageUrl": "pkg:golang/example.com/b/v3@v3.1.0"}]}"#,
    )
    .unwrap();
    assert_eq!(names(&bill), ["example.com/b/v3@v3.1.0"]);
}

#[test]
fn what_a_bill_describes_is_not_asked_for() {
    let own = "corp.example/billing@v0.0.0-20260102030405-0123456789ab";
    let part = "example.com/a@v1.0.0";
    for text in [
        format!(
            "{{\"bomFormat\": \"CycloneDX\", \"metadata\": {{\"component\": {{\"purl\": \"pkg:golang/{own}\", \"components\": [\
             {{\"purl\": \"pkg:golang/{part}\"}}]}}}}, \"components\": [{{\"purl\": \"pkg:golang/{own}\"}}]}}"
        ),
        format!(
            "{{\"spdxVersion\": \"SPDX-2.3\", \"relationships\": [{{\"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": \
             \"DESCRIBES\", \"relatedSpdxElement\": \"SPDXRef-own\"}}], \"packages\": [{{\"SPDXID\": \"SPDXRef-own\", \"externalRefs\": \
             [{{\"referenceType\": \"purl\", \"referenceLocator\": \"pkg:golang/{own}\"}}]}}, {{\"SPDXID\": \"SPDXRef-a\", \
             \"externalRefs\": [{{\"referenceType\": \"purl\", \"referenceLocator\": \"pkg:golang/{part}\"}}]}}]}}"
        ),
        format!(
            "{{\"spdxVersion\": \"SPDX-2.2\", \"documentDescribes\": [\"SPDXRef-own\"], \"packages\": [{{\"SPDXID\": \"SPDXRef-own\", \
             \"externalRefs\": [{{\"referenceType\": \"purl\", \"referenceLocator\": \"pkg:golang/{own}\"}}]}}, {{\"SPDXID\": \"SPDXRef-a\", \
             \"externalRefs\": [{{\"referenceType\": \"purl\", \"referenceLocator\": \"pkg:golang/{part}\"}}]}}]}}"
        ),
        format!(
            "{{\"@graph\": [{{\"type\": \"SpdxDocument\", \"rootElement\": [\"urn:own\"]}}, {{\"spdxId\": \"urn:own\", \
             \"software_packageUrl\": \"pkg:golang/{own}\"}}, {{\"spdxId\": \"urn:a\", \"software_packageUrl\": \"pkg:golang/{part}\"}}]}}"
        ),
    ] {
        let bill = parse(text.as_bytes()).unwrap();
        assert_eq!(names(&bill), [part], "{text}");
        let told =
            format!("what it describes is not asked for (name it to have it carried, too): {own}");
        assert!(bill.notes.contains(&told), "{:?}", bill.notes);
    }
}

#[test]
fn what_is_no_bill_is_told_with_its_place() {
    for (text, told) in [
        (
            "{\"bomFormat\": \"CycloneDX\",\n \"components\": [}",
            "2:17: no JSON: expected value",
        ),
        (
            "{\"bomFormat\": \"CycloneDX\",\n \"components\": 7}",
            "2:16: invalid type: integer `7`, expected a sequence",
        ),
        ("", "1:1: no JSON: EOF while parsing a value"),
        (
            "{}",
            "neither a CycloneDX nor an SPDX document in JSON: convert it to one",
        ),
        ("{\"bomFormat\": \"Other\"}", "neither"),
        (
            "{\"spdxVersion\": \"SPDX-2.2\", \"packages\": [{\"externalRefs\": [{\"referenceType\": \"purl\", \"referenceLocator\": \"pkg:deb/debian/tar@1\"}]}]}",
            "names no Go module (package URLs that begin with pkg:golang/); of other ecosystems, passed over: deb 1",
        ),
    ] {
        let error = parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(told), "{text}: {error}");
    }
    // Nested without end: the parser's own limit, and no overflow of the stack.
    let deep = "{\"components\":[".repeat(10_000);
    let error = parse(deep.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("recursion limit exceeded"), "{error}");
}

#[test]
fn a_note_names_only_some() {
    let components: Vec<String> = (0..9)
        .map(|n| format!("{{\"purl\": \"pkg:golang/example.com/m{n}\"}}"))
        .collect();
    let text = format!(
        "{{\"bomFormat\": \"CycloneDX\", \"components\": [{}, {{\"purl\": \"PKG:golang/x\"}}, {{\"purl\": \"pkg:golang/a.b/c@v1.0.0\"}}]}}",
        components.join(", ")
    );
    let bill = parse(text.as_bytes()).unwrap();
    assert!(
        bill.notes[0].ends_with("example.com/m4 and 4 more"),
        "{:?}",
        bill.notes
    );
    assert_eq!(names(&bill), ["a.b/c@v1.0.0"]);
}
