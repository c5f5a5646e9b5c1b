"""A clone works anywhere: nothing in it names the machine that it was written on."""

from __future__ import annotations

import re

from tests.house.tree import ROOT, text_of, tracked

# Put together from parts, so that this file does not name them either.
_FOLDERS = (("work",), ("opt", "pypi"), ("opt", "wheels"), ("tmp", "brief"), ("root",), ("home",))
MACHINE_PATHS = ["/" + "/".join(folders) + "/" for folders in _FOLDERS]
REGISTRIES = {"pypi.org", "files.pythonhosted.org", "registry.npmjs.org"}


def test_no_file_names_a_path_of_this_machine() -> None:
    """No tracked file names a folder that exists on a developer's machine only."""
    path = re.compile("|".join(rf"(?<![\w.$}}>-]){re.escape(name)}" for name in MACHINE_PATHS))
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in tracked()
        for number, line in enumerate((text_of(file) or "").splitlines(), 1)
        if len(line) < 2000 and path.search(line)  # a minified bundle has lines beyond any path
    ]
    assert found == []


def test_locks_name_public_registries_only() -> None:
    """S65: everything that a lock file pins comes from the public registries."""
    locks = [file for file in tracked() if file.name in {"uv.lock", "package-lock.json"}]
    hosts = {host for lock in locks for host in re.findall(r"https?://([^/\"' ]+)", text_of(lock) or "")}
    assert locks
    assert hosts <= REGISTRIES


def test_no_file_names_another_index() -> None:
    """No tracked file points pip or uv at an index other than the public one."""
    index = re.compile(r"(?:index-url|default-index|find-links|\bindex)[ =]+[\"']?(?:https?|file)://([^/\"'\s]*)")
    hosts = {host for file in tracked() for host in index.findall(text_of(file) or "")}
    assert hosts <= REGISTRIES
