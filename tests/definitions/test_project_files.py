"""A project's folder as found on disks: links, pipes, encodings, names that clash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.definitions.catalogs import catalog_from_csv
from orchestrator.definitions.project_files import ProjectFiles, load_project_files

JOURNEY = "journey: {name}\nenter: {{api: true}}\nsteps: []\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "journeys" / "life").mkdir(parents=True)
    (root / "journeys" / "project.yaml").write_text("timezone: Europe/Lisbon\n")
    write(root, "journeys/life/good.yaml", JOURNEY.format(name="good"))
    return root


def write(root: Path, path: str, text: str | bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(text if isinstance(text, bytes) else text.encode())


def codes(files: ProjectFiles) -> dict[str, str]:
    return {problem.path: problem.code for problem in files.problems}


def test_a_good_project(project: Path) -> None:
    write(project, "journeys/top.yaml", JOURNEY.format(name="top"))
    write(project, "journeys/tests/good.yaml", "journey: good\ntests: []\n")
    write(project, "journeys/catalogs/hotels.csv", "id,stars\nh1,4\n")
    write(project, "templates/email/hello.zh.mjml", "<mjml/>")
    files = load_project_files(project)
    assert files.problems == () and files.ok
    assert list(files.journeys) == ["good", "top"]
    assert files.catalogs["hotels"].rows == {"h1": {"id": "h1", "stars": 4}}
    assert files.templates == ("templates/email/hello.zh.mjml",)
    assert [document.path for document in files.journey_tests] == ["journeys/tests/good.yaml"]
    assert files.project.timezone == "Europe/Lisbon"
    assert files.unsure == frozenset()


def test_a_word_that_plus_addresses_cannot_be_is_told_with_its_place_and_the_nearest(project: Path) -> None:
    write(project, "journeys/project.yaml", "channels:\n  email: {from: a@example.com, plus_addresses: togehter}\n")
    [problem] = load_project_files(project).problems
    assert (problem.path, problem.line, problem.column, problem.code) == ("journeys/project.yaml", 2, 48, "bad_value")
    assert "together" in str(problem) and "apart" in str(problem)


def test_one_broken_journey_leaves_the_others(project: Path) -> None:
    write(project, "journeys/life/bad.yaml", "journey: bad\nsteps: [\n")
    files = load_project_files(project)
    assert list(files.journeys) == ["good"]
    assert files.broken_journeys == {"bad"} and files.journey_names == {"good", "bad"}
    assert files.unsure == {"journeys"}


def test_files_that_are_no_text(project: Path) -> None:
    write(project, "journeys/a/utf16.yaml", "journey: utf16".encode("utf-16"))
    write(project, "journeys/a/latin.yaml", "journey: latin\ntitle: caf\xe9\n".encode("latin-1"))
    write(project, "journeys/a/large.yaml", b"#" * (1024 * 1024 + 1))
    write(project, "journeys/a/nul.yaml", b"journey: a\0b\n")
    files = load_project_files(project)
    assert codes(files) == {
        "journeys/a/large.yaml": "file_too_large",
        "journeys/a/latin.yaml": "encoding",
        "journeys/a/nul.yaml": "control_character",
        "journeys/a/utf16.yaml": "encoding",
    }
    (latin,) = [problem for problem in files.problems if "latin" in problem.path]
    assert (latin.line, latin.column) == (2, 11)


def test_links_out_of_the_project_are_refused(project: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("password: hunter2\n")
    (project / "journeys/life/secret.yaml").symlink_to(secret)
    (project / "journeys/outside").symlink_to(tmp_path)
    (project / "journeys/life/gone.yaml").symlink_to(tmp_path / "nowhere")
    (project / "journeys/loop").symlink_to(project / "journeys")
    files = load_project_files(project)
    assert codes(files) == {
        "journeys/life/gone.yaml": "symlink",
        "journeys/life/secret.yaml": "symlink",
        "journeys/loop": "symlink",
        "journeys/outside": "symlink",
    }
    assert "hunter2" not in repr(files)
    assert list(files.journeys) == ["good"]


def test_a_pipe_is_not_waited_for(project: Path) -> None:
    os.mkfifo(project / "journeys/life/pipe.yaml")
    (project / "journeys/life/folder.yaml").mkdir()
    assert codes(load_project_files(project)) == {"journeys/life/pipe.yaml": "unreadable"}


def test_names_that_clash_on_other_systems(project: Path) -> None:
    write(project, "journeys/life/Good.yaml", JOURNEY.format(name="Good"))
    if len(list((project / "journeys/life").iterdir())) == 1:
        pytest.skip("this file system does not tell upper from lower case")
    assert codes(load_project_files(project)) == {"journeys/life/good.yaml": "case_clash"}


def test_a_file_name_that_is_no_text(project: Path) -> None:
    try:
        (Path(os.fsdecode(os.fsencode(project) + b"/journeys/life/\xff.yaml"))).write_text("journey: x\n")
    except OSError:
        pytest.skip("this file system refuses such names")
    files = load_project_files(project)
    assert [problem.code for problem in files.problems] == ["file_name"]
    assert [problem.path.encode() for problem in files.problems]


def test_no_project_here(tmp_path: Path) -> None:
    (tmp_path / "journey").mkdir()
    (problem,) = load_project_files(tmp_path).problems
    assert problem.code == "no_journeys_folder"
    assert problem.hint is not None and "'journey'" in problem.hint
    (problem,) = load_project_files(tmp_path / "nowhere").problems
    assert problem.code == "no_journeys_folder"


def test_hidden_files_and_texts_for_people_are_passed_over(project: Path) -> None:
    for path in (".schema/a.json", "life/.hidden.yaml", "README.md", "life/notes.md", "life/.DS_Store"):
        write(project, f"journeys/{path}", "x")
    assert load_project_files(project).problems == ()


def test_catalog_columns_are_typed_as_a_whole() -> None:
    text = 'id,n,price,on,code,mixed,"with, comma"\r\n007,1,2,true,010,1,"a\nb"\r\n8,,2.50,FALSE,20,x,\r\n'
    catalog, problems = catalog_from_csv("c", "c.csv", text)
    assert [problem.code for problem in problems] == ["line_ends"]
    assert catalog is not None and catalog.key == "id"
    assert catalog.rows["007"] == {
        "id": "007", "n": 1, "price": 2.0, "on": True, "code": "010", "mixed": "1", "with, comma": "a\nb"
    }  # fmt: skip
    assert catalog.rows["8"] == {
        "id": "8", "n": None, "price": 2.5, "on": False, "code": "20", "mixed": "x", "with, comma": None
    }  # fmt: skip
