"""Reading template files from a folder."""

from __future__ import annotations

from pathlib import Path

from orchestrator.templating.loading import LARGEST_FILE, load_templates


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Files below root/templates."""
    for name, content in files.items():
        path = root / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def test_a_project_without_templates_is_empty(tmp_path: Path) -> None:
    library = load_templates(tmp_path)
    assert library.sets == {}
    assert library.problems == ()
    assert library.pick("email", "x", "en") is None


def test_files_become_sets(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "email/a.html": "---\r\nsubject: x\r\n---\r\n<p>{{ customer.y }}</p>\r\n",
            "email/a.zh.mjml": b"\xef\xbb\xbf---\nsubject: x\n---\n<mjml><mj-body></mj-body></mjml>",
            "sms/a.txt": "x",
            "push/a.yaml": "title: x\nbody: y",
            "assets/logo.png": b"\x89PNG\x00\xff",
            "email/.hidden.html": "{{",
            "README.md": "notes",
            "email/README.md": "notes",
        },
    )
    library = load_templates(root)
    assert library.problems == ()
    assert sorted(library.sets) == [("email", "a"), ("push", "a"), ("sms", "a")]
    assert library.names("email") == ("a",)
    found = library.pick("email", "a", None)
    assert found is not None
    assert found.positions["customer.y"][0] == ("templates/email/a.html", 4, 7)
    assert library.by_hash(found.content_hash) is found
    assert library.by_hash("0" * 32) is None


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    root = write(
        tmp_path,
        {
            "sms/latin.txt": b"first\nna\xefve",
            "sms/nul.txt": "a\n\0",
            "sms/large.txt": "x" * (LARGEST_FILE + 1),
        },
    )
    (root / "templates/sms/link.txt").symlink_to(secret)
    (root / "templates/sms/broken.txt").symlink_to(tmp_path / "nowhere")
    library = load_templates(root)
    assert [(problem.path, problem.line, problem.column, problem.code) for problem in library.problems] == [
        ("templates/sms/large.txt", 1, 1, "template_file"),
        ("templates/sms/latin.txt", 2, 3, "encoding"),
        ("templates/sms/link.txt", 1, 1, "template_file"),
        ("templates/sms/nul.txt", 2, 1, "encoding"),
    ]
    assert library.sets == {}
