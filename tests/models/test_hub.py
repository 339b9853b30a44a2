"""A run as a repository of the Hub, offline: folders, and a server that is a folder."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.hub_mixin
import pytest
import torch

from spaceforms.integrations import hub
from spaceforms.integrations.hub import HubRun
from spaceforms.models import load_run
from spaceforms.models.training.loop import train

TEXTS = ["a red fox", "a house"]


@pytest.fixture
def trained(tiny):
    config = tiny(epochs=1, ema=0.5)
    assert train(config)
    return load_run(config.out)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """What is sent lies in the folder that this returns; what is asked for comes from there."""
    place, asked = tmp_path / "server", []

    class Api:
        def __init__(self, token=None):
            pass

        def create_repo(self, repo_id, **options):
            return SimpleNamespace(repo_id=repo_id)

        def upload_folder(self, *, repo_id, folder_path, **options):
            shutil.copytree(folder_path, place / repo_id)
            return SimpleNamespace(commit_url=f"sent/{repo_id}")

    def snapshot(repo_id, **options):
        asked.append(options)
        return str(place / repo_id)

    monkeypatch.setattr(huggingface_hub.hub_mixin, "HfApi", Api)
    monkeypatch.setattr(
        huggingface_hub.hub_mixin,
        "hf_hub_download",
        lambda repo_id, filename, **options: str(place / repo_id / filename),
    )
    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    return SimpleNamespace(place=place, asked=asked)


def test_a_saved_run_comes_back_with_the_same_points_and_nothing_more_is_kept(trained, tmp_path):
    folder = tmp_path / "saved"
    HubRun(trained).save_pretrained(folder)
    assert {p.name for p in folder.iterdir()} == {
        "README.md",
        "config.json",
        "ema.safetensors",
        "model.safetensors",
        "tokenizer.json",
    }
    for name in ("config.json", "tokenizer.json"):
        assert (folder / name).read_bytes() == (trained.folder / name).read_bytes()
    again = HubRun.from_pretrained(folder).run
    assert torch.equal(again.encode_texts(TEXTS), trained.encode_texts(TEXTS))
    assert torch.equal(again.manifold.curvature, trained.manifold.curvature)
    averaged = HubRun.from_pretrained(folder, ema=True).run
    wanted = load_run(trained.folder, ema=True).encode_texts(TEXTS)
    assert torch.equal(averaged.encode_texts(TEXTS), wanted)


def test_a_pushed_run_is_pulled_by_its_name(trained, server):
    assert HubRun(trained).push_to_hub("me/mine").commit_url == "sent/me/mine"
    card = (server.place / "me/mine/README.md").read_text(encoding="utf-8")
    assert "library_name: spaceforms" in card
    assert "HubRun.from_pretrained(" in card
    again = HubRun.from_pretrained("me/mine", revision="abc").run
    assert torch.equal(again.encode_texts(TEXTS), trained.encode_texts(TEXTS))
    (asked,) = server.asked
    assert asked["revision"] == "abc"
    assert "model.safetensors" in asked["allow_patterns"]


def test_a_folder_that_is_no_run_gets_a_sentence(tmp_path):
    Path(tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="expected the folder of a run"):
        HubRun.from_pretrained(tmp_path)
