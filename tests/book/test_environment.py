"""The lock, conda's file, the citation: one set of versions for everybody."""

import re
import sys
from importlib.metadata import distributions

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def lock(root):
    lines = (root / "requirements.lock").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+(\.post\d+)?", line) for line in pins), "exact versions, no local tags, no hosts"
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in pins)}


@pytest.fixture(scope="module")
def project(root):
    import tomllib

    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]


def test_condas_pip_part_is_the_lock_and_its_python_the_locks(root, project):
    conda = yaml.safe_load((root / "environment.yml").read_text("utf-8"))
    python = next(item for item in conda["dependencies"] if str(item).startswith("python="))
    [pip] = [item["pip"] for item in conda["dependencies"] if isinstance(item, dict)]
    assert pip[1:] == ["-r requirements.lock", "--editable ."] and pip[0].endswith("/whl/cpu"), "no CUDA"
    assert "pip" in conda["dependencies"]
    made_for = re.search(r"made with Python (\d+\.\d+)", (root / "requirements.lock").read_text("utf-8")).group(1)
    assert python == f"python={made_for}"
    assert f"{made_for}.9" in SpecifierSet(project["requires-python"])


def test_the_lock_holds_every_dependency_and_satisfies_it(lock, project):
    extras = [item for items in project["optional-dependencies"].values() for item in items]
    for requirement in map(Requirement, [*project["dependencies"], *extras]):
        name = canonicalize_name(requirement.name)
        assert name in lock and lock[name] in requirement.specifier, requirement


def test_every_dependency_gives_its_reason(root):
    text = (root / "pyproject.toml").read_text("utf-8")
    listed = re.findall(r'^    "([\w.=-]+)",(.*)$', text, re.M)
    without = [name for name, comment in listed if "#" not in comment]
    assert set(without) <= {"jupyterlab", "sphinx", "sphinx-book-theme", "sphinxcontrib-bibtex", "pytest-xdist"}


def test_what_is_installed_is_the_lock(lock):
    installed = {canonicalize_name(dist.name): dist.version.partition("+")[0] for dist in distributions()}
    assert {name: installed.get(name) for name in lock} == lock
    assert sys.version_info[:2] == (3, 11)


def test_the_makefile_and_ci_install_the_lock(root):
    makefile = (root / "Makefile").read_text("utf-8")
    assert "install --quiet --disable-pip-version-check -r requirements.lock" in makefile
    assert "make test" in (root / ".ci" / "run").read_text("utf-8")
    readme = (root / "README.md").read_text("utf-8")
    assert "make reproduce" in readme and "make test" in readme and "CUDA" in readme
    assert 'requirements.lock $$($(BIN)/python tools/cpu_wheels.py "$(TORCH_INDEX)")' in makefile


def test_the_citation_file_is_what_it_should_be(root):
    citation = yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["authors"] == [{"name": "The recsys project"}]
    licence = (root / "LICENSE").read_text("utf-8")
    assert "MIT License" in licence and "Creative Commons Attribution 4.0" in licence
