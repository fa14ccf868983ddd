"""The book on the newest releases: which versions came, and which claims move.

An environment of its own, `.newest`, is filled from `pyproject.toml` and not the lock,
and every notebook runs in it. The report stands in `.newest/report.md`. With `--write`
the versions become `requirements.lock`, to be committed with what the report says.

    make newest     # look only; PyTorch's pin is lifted too
    make lock       # write the lock, within what pyproject.toml allows
"""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from cpu_wheels import main as cpu_wheels

AT = Path(__file__).resolve().parents[1]
FOLDER = AT / ".newest"
PIP = [str(FOLDER / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]


def main(index: str, write: bool) -> int:
    """Install, run, report; 1 where a claim is out or a notebook fails."""
    install(wanted(AT / "pyproject.toml", write), shlex.split(cpu_wheels(index)))
    frozen = run([*PIP, "freeze", "--exclude-editable"], stdout=subprocess.PIPE).stdout
    old = (AT / "requirements.lock").read_text("utf-8")
    new = lock(old, frozen)
    moved = FOLDER / "moved.md"
    command = [str(FOLDER / "bin" / "recsys"), "reproduce", "--moved", str(moved)]
    done = subprocess.run(command, cwd=AT)
    report = (
        versions(old, new)
        + "\n"
        + (
            moved.read_text("utf-8")
            if moved.is_file()
            else "No notebook could be run.\n"
        )
    )
    (FOLDER / "report.md").write_text(report, "utf-8")
    print(report)
    if write:
        refuse_cuda(new)
        (AT / "requirements.lock").write_text(new, "utf-8")
    return done.returncode


def wanted(pyproject: Path, pinned: bool) -> list[str]:
    """Everything the project asks for; without PyTorch's pin unless `pinned`."""
    project = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    asked = [*project["dependencies"], *(name for names in extras for name in names)]
    return asked if pinned else [re.sub(r"^torch==.*", "torch", name) for name in asked]


def install(requirements: list[str], options: list[str]) -> None:
    """Make the environment anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(FOLDER)])
    run([*PIP, "install", "--quiet", *options, *requirements])
    run([*PIP, "install", "--quiet", "--no-deps", "--editable", str(AT)])


def lock(old: str, frozen: str) -> str:
    """A lock: the old one's opening lines, and versions without local tags."""
    opening = [line for line in old.splitlines() if line.startswith("#")]
    pins = re.findall(r"^([\w.-]+)==([^+\s]+)", frozen, re.M)
    lines = sorted((f"{name}=={version}" for name, version in pins), key=str.lower)
    return "\n".join([*opening, *lines]) + "\n"


def versions(old: str, new: str) -> str:
    """Which packages have another version than in the lock, as a list in Markdown."""
    before, after = (
        dict(re.findall(r"^([\w.-]+)==(\S+)$", text, re.M)) for text in (old, new)
    )
    lines = [
        f"- {name} {before.get(name, 'new')} to {after.get(name, 'gone')}"
        for name in sorted({*before, *after}, key=str.lower)
        if before.get(name) != after.get(name)
    ]
    return "\n".join(lines or ["Every version is the lock's."]) + "\n"


def refuse_cuda(new: str) -> None:
    """A lock with the packages of a CUDA build would load them for everybody."""
    found = re.findall(r"^nvidia-[\w-]+", new, re.M)
    if found:
        sys.exit(
            "the lock is left as it was: expected PyTorch without CUDA, got "
            f"{found[0]}; run this where PyTorch's index of CPU wheels answers"
        )


def run(command: list[str], **options) -> subprocess.CompletedProcess:
    """A command that must succeed."""
    return subprocess.run(command, cwd=AT, check=True, text=True, **options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--write" in sys.argv[2:]))
