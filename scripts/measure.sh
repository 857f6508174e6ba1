# Sourced by the scripts that measure: how long a command takes and how much memory it needs, and the middle of several.

# Runs a command; prints "SECONDS PEAK", the latter in MiB: that of the largest of its processes.
measure() {
    python3 - "$@" <<'PYTHON'
import resource, subprocess, sys, time
start = time.monotonic()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.monotonic() - start
if done.returncode != 0:
    sys.stderr.buffer.write(done.stderr)
    sys.exit(f"{sys.argv[1:]} failed with {done.returncode}")
print(f"{seconds:.3f} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024}")
PYTHON
}

# The median of the numbers that the lines begin with; of an even number of lines, the lower of the two in the middle.
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# A column's largest number.
largest() { awk -v column="$1" '$column > most { most = $column } END { print most + 0 }'; }
