"""Plugins as people get them: installed distributions with entry points, good ones and broken ones side by side."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from plugin_objects import info_of

from porter.cli.plugins_command import describe
from porter.contracts.requests import ModelRequest
from porter.errors import BadInput, Missing
from porter.hosting.info import PluginInfo
from porter.hosting.manager import create_registry
from porter.records.version import __version__

GOOD = """
    from porter import hookimpl
    from porter.contracts.requests import ModelOffer
    @hookimpl
    def porter_models():
        return [ModelOffer(name={model!r}, title="Good", variants=())]
"""
HEAVY = {"torch", "onnx", "onnxruntime", "openvino", "cv2", "tensorflow"}


class Site:
    """A folder on sys.path, with distributions in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(
        self,
        distribution: str,
        modules: dict[str, str],
        version: str = "1.2",
        requires: Iterable[str] = (),
        **points: str,
    ) -> None:
        """Write modules by name, and the metadata with its requirements and its entry points by name."""
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        fields = [f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}"]
        fields += [f"Requires-Dist: {one}" if ":" not in one else one for one in requires]
        (info / "METADATA").write_text("\n".join(fields) + "\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[porter]", *lines]) + "\n")
        for module, source in modules.items():
            (self.folder / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        importlib.invalidate_caches()

    def porter(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command line with this folder on its path."""
        variables = {**os.environ, "PYTHONPATH": str(self.folder), **environment}
        command = [sys.executable, "-m", "porter.cli.main", *arguments]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty folder on sys.path; what was imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.delenv("PORTER_DISABLE_PLUGINS", raising=False)
    monkeypatch.syspath_prepend(folder)
    yield Site(folder)
    for name, module in list(sys.modules.items()):
        if str(folder) in str(getattr(module, "__file__", "")):
            del sys.modules[name]


def test_an_installed_plugin_is_found_by_its_entry_point(site: Site) -> None:
    site.install("porter-good", {"good_module": GOOD.format(model="good")}, version="3.1", good="good_module")
    registry = create_registry()
    assert info_of(registry, "good") == PluginInfo(
        name="good", distribution="porter-good", version="3.1", state="active", made_for="", hooks=("porter_models",)
    )
    offer, hooks = registry.model("good")
    assert (offer.title, hooks.plugin) == ("Good", "good")
    use = registry.use("model", "good")
    assert (use.distribution, use.version) == ("porter-good", "3.1")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise RuntimeError('no\\nlicence')", "import failed: RuntimeError: no licence"),
        ("def porter_models(:", "import failed: SyntaxError: "),
        (
            "import a_package_that_is_not_there",
            "import failed: needs the module 'a_package_that_is_not_",
        ),
        ("import sys; sys.exit('usage: …')", "import failed: SystemExit: usage: …"),
        ("class Skipped(BaseException): ...\nraise Skipped('no GPU')", "import failed: Skipped: no GPU"),
    ],
)
def test_a_plugin_that_raises_at_import_fails_alone(site: Site, source: str, why: str) -> None:
    site.install("porter-good", {"good_module": GOOD.format(model="good")}, good="good_module")
    site.install("porter-broken", {"broken_module": source}, broken="broken_module")
    registry = create_registry()
    broken = info_of(registry, "broken")
    assert broken.state == "failed" and broken.reason.startswith(why)
    assert registry.model("good")[0].name == "good"
    with pytest.raises(BadInput, match=r"unknown model 'goud'. Did you mean 'good'\?.*failed to load: .*broken"):
        registry.model("goud")


def test_an_entry_point_that_leads_nowhere_is_reported(site: Site) -> None:
    site.install("porter-broken", {"broken_module": ""}, broken="broken_module:Plugin")
    site.install("porter-odd", {}, odd="odd module")
    registry = create_registry()
    assert "has no attribute 'Plugin'" in info_of(registry, "broken").reason
    assert info_of(registry, "odd").reason == "its entry point 'odd module' is neither MODULE nor MODULE:OBJECT"


def test_two_plugins_of_one_name_are_told_apart_by_their_distributions(site: Site) -> None:
    site.install("porter-first", {"first_module": GOOD.format(model="first")}, same="first_module")
    site.install("porter-second", {"second_module": GOOD.format(model="second")}, same="second_module")
    registry = create_registry()
    one, two = [info for info in registry.infos if info.name == "same"]
    assert (one.distribution, one.state) == ("porter-first", "active")
    assert (two.distribution, two.state) == ("porter-second", "failed")
    assert two.reason == "the name 'same' is used by porter-first"
    assert "first" in registry.models() and "second" not in registry.models()
    assert registry.use("model", "same").distribution == "porter-first"
    assert [row["models"] for row in describe(registry) if row["name"] == "same"] == [["first"], []]


def test_switching_one_off_settles_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("porter-one", {"one_module": GOOD.format(model="twice")}, one="one_module")
    site.install("porter-two", {"two_module": GOOD.format(model="twice")}, two="two_module")
    with pytest.raises(BadInput, match="'one' and 'two'"):
        create_registry().model("twice")
    monkeypatch.setenv("PORTER_DISABLE_PLUGINS", " two ,, absent")
    registry = create_registry()
    assert registry.model("twice")[1].plugin == "one"
    assert info_of(registry, "two").reason == "named in PORTER_DISABLE_PLUGINS"
    assert info_of(registry, "two").state == "disabled"
    monkeypatch.setenv("PORTER_DISABLE_PLUGINS", "one,two")
    with pytest.raises(BadInput, match=r"'twice'.* \(disabled by PORTER_DISABLE_PLUGINS: one, two\)"):
        create_registry().model("twice")


def test_a_disabled_plugin_is_not_even_imported(site: Site) -> None:
    site.install("porter-loud", {"loud_module": "raise RuntimeError"}, loud="loud_module")
    assert info_of(create_registry(disabled=["loud"]), "loud").state == "disabled"
    assert "loud_module" not in sys.modules


# --- what a plugin's metadata says ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requires", "made_for", "state"),
    [
        (["porter-core>=0.1,<0.2"], ">=0.1,<0.2", "active"),
        (["Porter_Core[torch] >=0.1", "porter-core!=0.1.5"], ">=0.1,!=0.1.5", "active"),
        (["porter-core"], "", "active"),
        (["not a requirement!", "numpy>=1"], "", "active"),
        (["porter-core>=9; extra == 'test'"], "", "active"),
        (["porter-core>=0.2,<0.3"], ">=0.2,<0.3", "failed"),
        (["porter-core<0.1"], "<0.1", "failed"),
    ],
)
def test_a_plugin_says_which_porter_it_was_made_for(site: Site, requires: list[str], made_for: str, state: str) -> None:
    site.install("porter-good", {"good_module": GOOD.format(model="good")}, requires=requires, good="good_module")
    info = info_of(create_registry(), "good")
    assert (info.made_for, info.state) == (made_for, state)
    shown = site.porter("plugins").stdout
    if state == "failed":
        assert "good_module" not in sys.modules
        wanted = f"made for porter-core {made_for}, this is {__version__}. Install a version of the plugin for"
        assert info.reason.startswith(wanted) and wanted in shown
    elif made_for:
        assert f"  {made_for} " in shown
    else:
        assert "  not said " in shown


def test_core_and_its_parts_are_not_asked_for_whom_they_were_made() -> None:
    assert {info.made_for for info in create_registry([("tiny", object())]).infos} == {None}


@pytest.mark.parametrize(
    ("requires", "module", "says"),
    [
        ([], "sklearn", "the module 'sklearn', which is not installed; the metadata of porter-x does not list it"),
        (["absent-one>=2"], "absent_one", "which is not installed: pip install 'absent-one>=2'"),
        (
            ["Absent.One"],
            "absent_one.part",
            "the module 'absent_one', which is not installed: pip install Absent.One",
        ),
        (["scikit-absent[all]>=1", "numpy"], "skabsent", "which is not installed: pip install 'scikit-absent[all]>=1'"),
        (
            ["absent; extra == 'gpu'", "Provides-Extra: gpu"],
            "absent",
            "the module 'absent', which is not installed: pip install 'porter-x[gpu]'",
        ),
        (["numpy"], "numpy.absent", "the module 'numpy.absent', which the installed package 'numpy' (numpy "),
        ([], "x_module.absent", "the module 'x_module.absent', which the installed package 'x_module' does not have"),
        (["porter-core"], "ray_absent", "is not installed; the metadata of porter-x does not list it"),
    ],
)
def test_advice_to_install_names_what_the_metadata_names(
    site: Site, requires: list[str], module: str, says: str
) -> None:
    """Whoever advised the module's own name would send people to whatever is registered under it."""
    source = (
        GOOD.format(model="x")
        + f"""
    @hookimpl
    def porter_describe(request):
        import {module}
    """
    )
    site.install("porter-x", {"x_module": source}, requires=requires, x="x_module")
    with pytest.raises(Missing) as caught:
        create_registry().model("x")[1].describe(ModelRequest(model="x"))
    text = str(caught.value)
    assert text.startswith("plugin 'x': porter_describe needs the module ") and says in text and "\n" not in text
    assert f"pip install {module}" not in text


def test_what_only_an_extra_of_core_brings_is_advised_as_that(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    source = (
        GOOD.format(model="x")
        + """
    @hookimpl
    def porter_describe(request):
        import torch
    """
    )
    site.install("porter-x", {"x_module": source}, requires=["porter-core>=0.1"], x="x_module")
    with pytest.raises(Missing, match=r"'torch', which is not installed: pip install 'porter-core\[torch\]'$"):
        create_registry().model("x")[1].describe(ModelRequest(model="x"))


def test_a_run_that_needs_a_failed_plugin_says_why_it_failed(site: Site) -> None:
    for name in "abcd":
        site.install(f"porter-{name}", {f"{name}_module": f"raise OSError('{name * 400}')"}, **{name: f"{name}_module"})
    site.install("porter-my-net", {"net_module": "raise RuntimeError('no\\nlicence')"}, zz="net_module")
    site.install("porter-old", {}, requires=["porter-core>=9"], old_net="old_module")
    done = site.porter("run", "my_net")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and len(done.stderr) < 1500
    failed = done.stderr.partition("failed to load: ")[2]
    assert failed.startswith("zz: import failed: RuntimeError: no licence; a: import failed: OSError: aaa")
    assert "…; b: import" in failed and "; 3 more, see `porter plugins`)" in failed
    assert "failed to load: old_net: made for porter-core >=9, this is" in site.porter("run", "old-net").stderr
    with pytest.raises(Missing, match=r"unknown runtime 'my-net'.*failed to load: zz: import failed"):
        create_registry().runtime("my-net")


@pytest.fixture
def bad_company(site: Site) -> Site:
    """One good plugin among broken ones of every kind."""
    hook = "from porter import hookimpl\n@hookimpl\ndef {}: return {}\n"
    site.install("porter-good", {"good_module": GOOD.format(model="good")}, good="good_module")
    site.install("porter-raises", {"raises_module": "raise RuntimeError('no licence')"}, raises="raises_module")
    site.install("porter-spelt", {"spelt_module": hook.format("porter_modles()", "[]")}, spelt="spelt_module")
    site.install("porter-argued", {"argued_module": hook.format("porter_load(reqest)", "None")}, argued="argued_module")
    site.install("porter-unmarked", {"unmarked_module": "def porter_models(): return []"}, unmarked="unmarked_module")
    site.install("porter-text", {"text_module": hook.format("porter_models()", "'tiny'")}, text="text_module")
    site.install("porter-one", {"one_module": GOOD.format(model="twice")}, one="one_module")
    site.install("porter-two", {"two_module": GOOD.format(model="twice")}, two="two_module")
    return site


def test_the_command_line_explains_each(bad_company: Site) -> None:
    done = bad_company.porter("plugins", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["good"]["state"] == "active" and rows["good"]["models"] == ["good"]
    assert (rows["good"]["distribution"], rows["good"]["version"]) == ("porter-good", "1.2")
    problems = {name: row["problems"] for name, row in rows.items()}
    assert problems["raises"] == ["import failed: RuntimeError: no licence"]
    assert problems["spelt"] == ["porter_modles: no such hook. Did you mean 'porter_models'?"]
    assert problems["argued"] == ["porter_load: no argument 'reqest'. Did you mean 'request'? The hook takes request"]
    assert problems["unmarked"] == ["porter_models: not marked with @porter.hookimpl"]
    assert problems["text"] == ["porter_models returned a value of type str, must return a list of ModelOffer"]
    assert "model 'twice' is also offered by two" in problems["one"][0]
    assert "model 'twice' is also offered by one" in problems["two"][0]
    shown = bad_company.porter("plugins").stdout
    assert all(problem in shown for row in rows.values() for problem in row["problems"])


def test_what_does_not_need_a_broken_plugin_works_beside_it(bad_company: Site) -> None:
    done = bad_company.porter("run", "good", "--checkpoint", "nowhere.pth")
    assert (done.returncode, done.stderr) == (2, "porter: error: --checkpoint nowhere.pth: no such file\n")
    done = bad_company.porter("run", "twice")
    assert done.returncode == 2 and "offered by the plugins 'one' and 'two'" in done.stderr
    done = bad_company.porter("run", "twice", "--checkpoint", "nowhere.pth", PORTER_DISABLE_PLUGINS="one")
    assert "nowhere.pth: no such file" in done.stderr


def test_a_trace_goes_to_stderr_and_leaves_the_result_alone(site: Site) -> None:
    site.install("porter-good", {"good_module": GOOD.format(model="good")}, good="good_module")
    plain, traced = site.porter("plugins", "--json"), site.porter("plugins", "--json", PORTER_TRACE="1")
    assert plain.stderr == "" and traced.stdout == plain.stdout
    assert "trace: porter_models good " in traced.stderr


def test_what_a_plugin_prints_leaves_stdout_alone(site: Site) -> None:
    loud = """
        from porter import hookimpl
        from porter.contracts.requests import ModelOffer
        print("at import")
        @hookimpl
        def porter_models():
            print("asked")
            return [ModelOffer(name="loud", title="Loud", variants=())]
        @hookimpl
        def porter_describe(request):
            print("called")
    """
    site.install("porter-loud", {"loud_module": loud}, loud="loud_module")
    done = site.porter("plugins", "--json")
    assert "loud" in [row["name"] for row in json.loads(done.stdout)] and done.stderr == "at import\nasked\n"
    done = site.porter("run", "loud", "--checkpoint", __file__)
    assert (done.returncode, done.stdout) == (2, "") and "called\nporter: error: " in done.stderr


def test_a_task_that_exits_does_not_pass_for_a_run_that_ended_well(site: Site) -> None:
    source = """
        import sys
        from porter import hookimpl
        from porter.contracts.requests import ModelOffer
        from porter.records.spec import ModelSpec, PreprocessSpec, TensorSpec
        from porter.builtin.classification import Classification
        class Leaving(Classification):
            name = "leaving"
            def manifest(self, request):
                sys.exit(0)
        @hookimpl
        def porter_models():
            return [ModelOffer(name="good", title="Good", variants=(), needs_checkpoint=False)]
        @hookimpl
        def porter_describe(request):
            tensor = TensorSpec(name="image", shape=("N", 3, 8, 8))
            scores = TensorSpec(name="class", shape=("N", 4))
            preprocess = PreprocessSpec(resize=8, crop=(8, 8))
            return ModelSpec(name="good", task="leaving", inputs=(tensor,), outputs=(scores,), num_classes=4,
                             preprocess=preprocess)
        @hookimpl
        def porter_tasks():
            return [Leaving()]
    """
    site.install("porter-good", {"good_module": source}, good="good_module")
    done = site.porter("run", "good", "--data", str(site.folder), "--out", str(site.folder / "out"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    raised = "plugin 'good': manifest() of task 'leaving' raised SystemExit: 0 (good_module.py:"
    assert done.stderr.startswith(f"porter: error: {raised}")


def test_listing_plugins_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "porter.cli.main", "plugins"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "pluggy" in imported and not imported & HEAVY


def test_the_help_of_porter_imports_no_command() -> None:
    line = [sys.executable, "-X", "importtime", "-m", "porter", "--help"]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    imported = {name.rpartition("|")[2].strip() for name in done.stderr.splitlines()}
    assert "porter.cli.group" in imported
    assert {name for name in imported if name.endswith("_command") or name.startswith(("numpy", "rich"))} == set()
    assert not {name for name in imported if name.startswith(("porter.pipeline", "porter.cli.stage"))}
