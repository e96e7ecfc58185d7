"""Build the environments of the rivals: ``python -m benchmarks.install``, which ``make bench`` runs first.

Standard library only. ``.venv-bench`` holds Crossent and every rival that can live with it, ``.venv-bench-<name>``
those of ``requirements-<name>.txt``. Wheels are taken where there are any. What does not install is written to
``.venv-bench/not-installed.json`` with the reason, and the results list it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MAIN = ROOT / ".venv-bench"
REPORT = MAIN / "not-installed.json"


def environment(name: str | None) -> Path:
    """The folder of an environment."""
    return ROOT / (".venv-bench" if name is None else f".venv-bench-{name}")


def python(name: str | None) -> Path:
    """The interpreter of an environment."""
    return environment(name) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def requirements(path: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def install(name: str | None, *what: str) -> str | None:
    """Install into an environment; why it failed, or None."""
    command = [
        str(python(name)),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--prefer-binary",
        *what,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    # pip quotes what the package's build printed: its last lines tell.
    starts = [k for k, line in enumerate(lines) if line.endswith("of output]")]
    ends = [k for k, line in enumerate(lines) if line == "[end of output]"]
    told = lines[starts[0] + 1 : ends[0]][-2:] if starts and ends else [line for line in lines if "ERROR" in line][-1:]
    return " ".join(told or lines[-1:] or ["pip failed"]).replace(str(ROOT), ".")


def main() -> None:
    failed: dict[str, str] = {}
    subprocess.run([sys.executable, "-m", "venv", environment(None)], check=True)
    reason = install(None, "--editable", f"{ROOT}[report,demo]")
    if reason:
        sys.exit(f"crossent itself does not install: {reason}")
    for line in requirements(HERE / "requirements.txt"):
        print(f"installing {line}", flush=True)
        if reason := install(None, line):
            failed[line] = reason
    for path in sorted(HERE.glob("requirements-*.txt")):
        name = path.stem.removeprefix("requirements-")
        print(f"installing {path.name} into {environment(name).name}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", environment(name)], check=True)
        if reason := install(name, "-r", str(path)):
            failed[name] = reason
    REPORT.write_text(json.dumps(failed, indent=1))
    for line, reason in failed.items():
        print(f"not installed: {line}: {reason}")


if __name__ == "__main__":
    main()
