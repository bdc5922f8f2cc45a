"""`--plugin FILE.py`: a plugin from one file, told of as an installed one, known by its content."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from corpus.case import Ended
from corpus.case import porter as command_line
from tiny import write_photos

from porter.errors import BadInput
from porter.hosting.manager import create_registry
from porter.hosting.plugin_file import read_plugin_file
from porter.runfolder.record_file import read_record

Porter = Callable[..., Ended]
ONE = Path(__file__).with_name("one_file.py")
HELPER = """
import porter
@porter.hookimpl(wrapper=True)
def porter_preprocess(sample, spec, out):
    return (yield)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with photos and the plugin."""
    write_photos(tmp_path / "val", [0, 1, 2] * 4)
    shutil.copy(ONE, tmp_path / "mine.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def porter(place: Path, capfd: pytest.CaptureFixture[str]) -> Porter:
    """The command line in that folder, in this process: importing PyTorch anew takes longer than a run."""
    return lambda *arguments: command_line(shlex.join(arguments), capfd.readouterr)


@pytest.fixture
def run(porter: Porter) -> Porter:
    """`porter run one`, with further arguments."""
    data = ("--data", "val", "--labels", "labels.txt", "--batch-sizes", "1", "--bench-seconds", "0", "--out", "out")
    return lambda *more: porter("run", "one", *data, *more)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("raises.py", "raise ValueError('no licence')", "import failed: ValueError: no licence"),
        ("leaves.py", "import sys; sys.exit(0)", "import failed: SystemExit: 0"),
        ("syntax.py", "def (", "import failed: SyntaxError: invalid syntax (syntax.py, line 1)"),
        ("idle.py", "x = 1", "implements no hook. Mark its functions with @porter.hookimpl"),
        (
            "spelt.py",
            "import porter\n@porter.hookimpl\ndef porter_modles(): return []",
            "porter_modles: no such hook. Did you mean 'porter_models'?",
        ),
        (
            "offers.py",
            "import porter\n@porter.hookimpl\ndef porter_models(): return 1/0",
            "porter_models raised ZeroDivisionError: division by zero",
        ),
        ("missing.py", None, "no such file"),
        ("folder.py", "folder", "not a regular file"),
        ("dangling.py", "link", "a symbolic link to a file that is not there"),
        ("text.txt", "x", "not a .py file. Install a plugin of several files with pip"),
        ("evil\x1b.py", "raise ValueError('\x1b[2J')", r"import failed: ValueError: \x1b[2J"),
    ],
)
def test_a_file_that_is_no_plugin_is_one_line(
    place: Path, run: Porter, name: str, content: str | None, says: str
) -> None:
    path = place / name
    if content == "folder":
        path.mkdir()
    elif content == "link":
        path.symlink_to("nowhere.py")
    elif content is not None:
        path.write_text(content)
    done = run("--plugin", name)
    shown = name.replace("\x1b", r"\x1b")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"porter: error: --plugin {shown}: {says}\n"
    assert not (place / "out").exists()


def test_its_faults_are_told_by_its_name(place: Path, run: Porter) -> None:
    source = (place / "mine.py").read_text(encoding="utf-8")
    (place / "mine.py").write_text(source.replace("import torch\n", "raise KeyError('weights')\n"), encoding="utf-8")
    done = run("--plugin", "mine.py")
    assert done.code == 2
    assert "plugin 'mine.py': porter_load raised KeyError: 'weights' (mine.py:" in done.err.splitlines()[-1]


def test_it_is_listed_beside_the_installed_ones(place: Path, porter: Porter, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "bad.py").write_text("raise ValueError('no licence')")
    done = porter("plugins", "--json", "--plugin", "./mine.py", "--plugin", "bad.py")
    rows = {row["name"]: row for row in json.loads(done.out)}
    assert rows["mine.py"]["models"] == ["one"] and rows["mine.py"]["file"] == "./mine.py"
    assert rows["bad.py"]["problems"] == ["import failed: ValueError: no licence"]
    plain = porter("plugins", "--plugin", "mine.py", "--plugin", "bad.py").out
    assert re.search(r"^mine\.py +mine\.py +active +models: one +describe, load, models$", plain, re.MULTILINE)
    assert plain.endswith("bad.py: import failed: ValueError: no licence\n")
    monkeypatch.setenv("PORTER_DISABLE_PLUGINS", "mine.py")
    off = porter("doctor", "--plugin", "mine.py")
    assert off.err == "porter: error: --plugin mine.py: named in PORTER_DISABLE_PLUGINS\n"


def test_two_of_one_name_cannot_be_told_apart(place: Path, run: Porter) -> None:
    (place / "other").mkdir()
    (place / "other/mine.py").write_text(HELPER)
    done = run("--plugin", "mine.py", "--plugin", "other/mine.py")
    assert done.err == "porter: error: --plugin other/mine.py: the name 'mine.py' is used by mine.py\n"


def test_the_record_has_its_content_and_going_on_notices_a_change(place: Path, run: Porter) -> None:
    (place / "link.py").symlink_to("mine.py")
    assert run("--plugin", "link.py").code == 0
    record = read_record(place / "out")
    [use] = [use for use in record.plugins if use.role == "model"]
    assert (use.plugin, use.distribution) == ("link.py", "")
    assert use.source_sha256 == read_plugin_file("mine.py").sha256
    again = run("--plugin", "link.py")
    assert "note: reused from the run of" in again.err and "evaluate" not in again.err
    with (place / "mine.py").open("a", encoding="utf-8") as stream:
        stream.write("# another comment\n")
    changed = run("--plugin", "link.py")
    assert "note: plugin 'link.py' changed; results that depend on it are redone\n" in changed.err
    assert "evaluate reference: 12 of 12" in changed.err


def test_a_plugin_without_a_model_is_one_that_a_run_is_made_from(place: Path, run: Porter) -> None:
    """Whether it comes, changes or goes: nothing that it had a hand in is kept, predictions in the cache neither."""
    (place / "help.py").write_text(HELPER)
    assert run("--plugin", "mine.py").code == 0
    before = sorted((place / "out/cache/predictions").iterdir())
    keys = [path.read_bytes()[:200] for path in before]
    for text, says in ((HELPER, "is new"), (f"{HELPER}#", "changed")):
        (place / "help.py").write_text(text)
        done = run("--plugin", "mine.py", "--plugin", "help.py")
        assert f"note: plugin 'help.py' {says}; results that depend on it are redone\n" in done.err
        now = [path.read_bytes()[:200] for path in before]
        assert all(one != other for one, other in zip(now, keys, strict=True))
        keys = now
    assert "note: plugin 'help.py' is not here; " in run("--plugin", "mine.py").err


def test_no_code_is_loaded_because_a_record_names_it(place: Path, run: Porter, porter: Porter) -> None:
    assert run("--plugin", "mine.py").code == 0
    for command in ("verify --out out", "bench --out out", "cache out", "diagnose run out"):
        done = porter(*shlex.split(command))
        assert done.code == 2, command
        says = "out/run.json: made with a plugin from a file. Use --plugin mine.py again"
        assert done.err == f"porter: error: {says}\n"
    assert porter("cache", "out", "--plugin", "mine.py").code == 0
    assert porter("report", "out").code == 0, "from the record alone"


def test_the_commands_of_the_documents_name_it(place: Path, run: Porter) -> None:
    assert run("--plugin", "mine.py").code == 0
    script = (place / "out/reproduce.sh").read_text(encoding="utf-8")
    assert re.search(r'^porter run one .*--plugin "\$PLUGIN" .*--fresh', script, re.MULTILINE)
    commands = read_record(place / "out").commands
    assert all("--plugin mine.py" in line for line in commands.values())
    given = {"DATA": "val", "LABELS": "labels.txt", "PLUGIN": "mine.py"}
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **given}
    done = subprocess.run(
        ["sh", "out/reproduce.sh", "again"], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert (place / "again/run.json").exists(), done.stderr


def test_what_ran_is_what_was_hashed(place: Path) -> None:
    """A file that changes within one process is another module, and the first one stays as it was."""
    (place / "help.py").write_text(HELPER)
    first = create_registry([], files=["help.py"])
    (place / "help.py").write_text(f"{HELPER}\n# more")
    second = create_registry([], files=["help.py"])
    digests = [registry.use("helper", "help.py").source_sha256 for registry in (first, second)]
    assert digests[0] != digests[1] == read_plugin_file("help.py").sha256
    with pytest.raises(BadInput, match=r"--plugin gone\.py: no such file"):
        create_registry([], files=["gone.py"])


def test_workers_of_ray_are_sent_it(place: Path, run: Porter) -> None:
    """Though none of them finds the file: its folder is renamed once the run has read it."""
    pytest.importorskip("ray")
    (place / "plugins").mkdir()
    mine = (place / "mine.py").read_text(encoding="utf-8")
    hide = "\nimport pathlib as _p\n_f = _p.Path(__file__).parent\nif _f.exists(): _f.rename(_f.with_name('hidden'))\n"
    (place / "plugins/mine.py").write_text(mine + hide, encoding="utf-8")
    assert run("--plugin", "mine.py", "--threads", "1").code == 0
    alone = (place / "out/predictions.csv").read_bytes()
    more = ("--executor", "ray", "--workers", "1", "--threads", "1", "--fresh")
    done = run("--plugin", "plugins/mine.py", *more)
    assert done.code == 0, done.err
    assert (place / "hidden/mine.py").exists() and not (place / "plugins").exists()
    record = read_record(place / "out")
    assert {execution.executor for one in record.evaluations for execution in one.executions} == {"ray"}
    assert (place / "out/predictions.csv").read_bytes() == alone
