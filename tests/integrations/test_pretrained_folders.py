"""`spaceforms train --image hf:DIR --text hf:DIR`: tiny models of random weights, offline."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from spaceforms.__main__ import main
from spaceforms.integrations.hub import HubRun
from spaceforms.models import load_run
from spaceforms.models.encoders.pretrained_folders import (
    PretrainedTokenizer,
    load_image_folder,
    load_text_folder,
)

WORDS = ["red", "green", "blue", "big", "small", "square", "of", "a"]
SIZES = {"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 2}
SIZES |= {"num_attention_heads": 2}
PICTURES = SIZES | {"image_size": 24, "patch_size": 8}
SOME = ["--epochs", "2", "--batch-size", "8", "--embed-dim", "8", "--workers", "0"]


def write_tokenizer(folder, *, end="</s>", pad="<pad>", start=None, longest=12):
    special = list(dict.fromkeys([pad, end, *([start] if start else [])]))
    vocabulary = {word: k for k, word in enumerate([*special, "<unk>", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    one = f"{start} $A {end}" if start else f"$A {end}"
    backend.post_processor = processors.TemplateProcessing(
        single=one, special_tokens=[(s, vocabulary[s]) for s in special]
    )
    hf.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=pad,
        eos_token=end,
        bos_token=start,
        unk_token="<unk>",
        model_max_length=longest,
    ).save_pretrained(folder)
    return vocabulary


def write_pixels(folder, **more):
    content = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.5], **more}
    (folder / "preprocessor_config.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """CLIP with its tokenizer, a picture encoder, a text encoder, and pictures with captions."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("folders")
    for name in ("clip", "dino", "bert", "data"):
        (root / name).mkdir()
    end = write_tokenizer(root / "clip", end="<end>", pad="<end>", start="<start>")["<end>"]
    text = SIZES | {"vocab_size": 12, "max_position_embeddings": 10, "eos_token_id": end}
    text |= {"pad_token_id": end, "bos_token_id": 1}
    config = hf.CLIPConfig(text_config=text, vision_config=PICTURES, projection_dim=10)
    hf.CLIPModel(config).save_pretrained(root / "clip")
    write_pixels(root / "clip")
    hf.Dinov2Model(hf.Dinov2Config(**PICTURES)).save_pretrained(root / "dino")
    write_pixels(root / "dino")
    write_tokenizer(root / "bert")
    # Written without the pooler, as most of what is tuned for sentences is.
    bert = hf.BertConfig(**SIZES, vocab_size=12, max_position_embeddings=12, pad_token_id=0)
    hf.BertModel(bert, add_pooling_layer=False).save_pretrained(root / "bert")
    rng = np.random.default_rng(0)
    lines = []
    for k in range(40):
        colour = k % 3
        pixels = rng.integers(0, 60, (30, 30, 3), dtype=np.uint8)
        pixels[..., colour] += 150
        Image.fromarray(pixels).save(root / "data" / f"{k}.png")
        lines.append(f"{k}.png\ta {WORDS[3 + k % 2]} {WORDS[colour]} square")
    (root / "data" / "captions.tsv").write_text("\n".join(lines) + "\n")
    return root


def train(folders, out, *options):
    words = ["train", "--data", str(folders / "data"), "--val-share", "0.3", *SOME]
    assert main([*words, "--out", str(out), *options]) == 0
    return load_run(out)


def test_a_frozen_pair_is_its_towers_before_and_after_and_the_run_holds_its_heads_alone(
    folders, tmp_path, capsys
):
    clip = folders / "clip"
    run = train(folders, tmp_path / "run", "--image", f"hf:{clip}", "--text", f"hf:{clip}")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["image_folder"] == config["text_folder"] == f"hf:{clip}"
    theirs = hf.CLIPModel.from_pretrained(clip).eval()
    tokens = hf.AutoTokenizer.from_pretrained(clip)
    texts = ["a red square", "a big green square of red"]
    batch = tokens(texts, padding=True, return_tensors="pt")
    assert torch.equal(run.tokenizer.encode(texts), batch["input_ids"])
    images = torch.rand(2, 3, 24, 24)
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in ((0.5, 0.4, 0.3), (0.2, 0.25, 0.5)))
    wanted = theirs(pixel_values=(images - mean) / std, **batch)
    for ours, normalised in (
        (run.model.image_encoder(images), wanted.image_embeds),
        (run.model.text_encoder(batch["input_ids"]), wanted.text_embeds),
    ):
        torch.testing.assert_close(
            torch.nn.functional.normalize(ours, dim=-1), normalised, rtol=1e-5, atol=1e-6
        )
    kept = run.model.state_dict()
    assert not any(".module." in name for name in kept)
    assert {"image_encoder.fingerprint", "image_projection.weight"} <= kept.keys()
    # Every command works on the run.
    assert main(["evaluate", str(run.folder)]) == 0
    assert "R@1" in capsys.readouterr().out
    assert main(["plot", str(run.folder)]) == 0
    assert main(["rank", str(run.folder), str(folders / "data/0.png"), *texts]) == 0
    picture = str(folders / "data/0.png")
    assert main(["traverse", str(run.folder), "--image", picture]) == 0
    features = tmp_path / "features.npz"
    assert main(["features", "--run", str(run.folder), "--out", str(features)]) == 0
    assert np.load(features)["image"].shape == (40, 10)
    HubRun(run).save_pretrained(tmp_path / "hub")
    again = HubRun.from_pretrained(tmp_path / "hub").run
    assert torch.equal(again.encode_texts(texts), run.encode_texts(texts))


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_what_is_tuned_is_saved_and_comes_back(folders, tmp_path, tuning):
    encoders = ["--image", f"hf:{folders / 'dino'}", "--text", f"hf:{folders / 'bert'}"]
    run = train(folders, tmp_path / "run", *encoders, "--tuning", tuning, "--lr", "1e-2")
    names = [n for n in run.model.state_dict() if n.startswith("image_encoder.module.")]
    assert names
    assert all("lora_" in n for n in names) == (tuning == "lora")
    if tuning == "lora":
        assert any(bool(p.any()) for n, p in run.model.named_parameters() if "lora_B" in n)
        before = load_image_folder(folders / "dino", "frozen").module.state_dict()
        after = {
            n.replace(".base_layer", ""): p
            for n, p in run.model.image_encoder.module.state_dict().items()
            if "lora_" not in n
        }
        assert before.keys() == after.keys()
        assert all(torch.equal(before[n], after[n]) for n in before)
    images = torch.rand(4, 3, 24, 24)
    again = load_run(run.folder)
    assert torch.equal(run.encode_prepared(images), again.encode_prepared(images))


def test_a_run_goes_on_to_the_same_weights_and_its_folders_may_move(folders, tmp_path, capsys):
    dino, bert = tmp_path / "dino", tmp_path / "bert"
    for path in (dino, bert):
        shutil.copytree(folders / path.name, path)
    encoders = ["--image", f"hf:{dino}", "--text", f"hf:{bert}", "--tuning", "lora"]
    whole = train(folders, tmp_path / "whole", *encoders)
    words = ["train", "--out", str(tmp_path / "whole"), "--resume"]
    dino.rename(tmp_path / "moved")
    assert main(["evaluate", str(whole.folder)]) == 1
    said = capsys.readouterr().err
    assert f"{dino}: expected the folder of a pretrained encoder, got no such folder" in said
    assert "config.json" in said
    assert main([*words, "--image", f"hf:{tmp_path / 'moved'}"]) == 0
    assert load_run(whole.folder).config.image_folder == f"hf:{tmp_path / 'moved'}"
    assert main(["evaluate", str(whole.folder)]) == 0


def test_other_weights_in_the_folder_are_refused(folders, tmp_path, capsys):
    shutil.copytree(folders / "dino", tmp_path / "dino")
    run = train(folders, tmp_path / "run", "--image", f"hf:{tmp_path / 'dino'}")
    torch.manual_seed(5)
    hf.Dinov2Model(hf.Dinov2Config(**PICTURES)).save_pretrained(tmp_path / "dino")
    assert main(["evaluate", str(run.folder)]) == 1
    assert "not those that the run was trained on" in capsys.readouterr().err


def test_an_encoder_beside_one_of_the_library(folders, tmp_path):
    run = train(folders, tmp_path / "run", "--text", f"hf:{folders / 'bert'}", "--image.size", "32")
    assert isinstance(run.tokenizer, PretrainedTokenizer)
    assert run.encode_texts(["a red square", ""]).shape == (2, 9)
    assert run.encode_images([folders / "data/0.png"]).shape == (1, 9)


def test_a_folder_that_changed_is_read_anew(tmp_path):
    for side, mean in ((24, 0.5), (32, 0.25)):
        config = hf.ViTConfig(**PICTURES | {"image_size": side})
        hf.ViTModel(config).save_pretrained(tmp_path)
        write_pixels(tmp_path, image_mean=[mean] * 3)
        encoder = load_image_folder(tmp_path, "frozen")
        assert encoder.size == side
        assert encoder.mean.flatten().tolist() == [mean] * 3
    for longest in (8, 12):
        bert = hf.BertConfig(**SIZES, vocab_size=12, max_position_embeddings=longest)
        bert.save_pretrained(tmp_path)
        write_tokenizer(tmp_path, longest=64)
        assert PretrainedTokenizer.from_folder(tmp_path).context == longest


def test_no_texts_and_no_pictures_have_features_of_no_rows(folders):
    for name in ("bert", "clip"):
        none = PretrainedTokenizer.from_folder(folders / name).encode([])
        encoder = load_text_folder(folders / name, "frozen")
        assert encoder(none).shape == (0, encoder.width)
    for name in ("dino", "clip"):
        encoder = load_image_folder(folders / name, "frozen")
        assert encoder(torch.empty(0, 3, 30, 30)).shape == (0, encoder.width)


def test_texts_are_the_mean_over_tokens_and_pictures_the_own_pooled(folders):
    text, tokens = load_text_folder(folders / "bert", "frozen"), ["a red square"]
    ids = PretrainedTokenizer.from_folder(folders / "bert").encode([*tokens, "a"])
    model = hf.AutoModel.from_pretrained(folders / "bert").eval()
    hidden = model(ids[:1]).last_hidden_state[0, : int((ids[0] != 0).sum())]
    # a mean of four float32 numbers
    torch.testing.assert_close(text(ids)[0], hidden.mean(0), rtol=1e-5, atol=1e-6)
    image = load_image_folder(folders / "dino", "frozen")
    model = hf.AutoModel.from_pretrained(folders / "dino").eval()
    pixels = torch.rand(2, 3, 24, 24)
    wanted = model((pixels - image.mean) / image.std).pooler_output
    torch.testing.assert_close(image(pixels), wanted, rtol=1e-5, atol=1e-6)


def test_siglips_texts_have_one_length_and_no_mask_so_a_text_has_one_point(tmp_path):
    torch.manual_seed(0)
    write_tokenizer(tmp_path, pad="</s>", longest=9)
    text = SIZES | {"vocab_size": 12, "max_position_embeddings": 9, "projection_size": 12}
    config = hf.SiglipConfig(text_config=text, vision_config=PICTURES)
    hf.SiglipModel(config).save_pretrained(tmp_path)
    write_pixels(tmp_path)
    encoder = load_text_folder(tmp_path, "frozen")
    tokenizer = PretrainedTokenizer.from_folder(tmp_path)
    alone, with_another = (tokenizer.encode(t) for t in (["red"], ["red", "a big square"]))
    assert alone.shape == (1, 9)
    torch.testing.assert_close(encoder(with_another)[0], encoder(alone)[0], rtol=1e-5, atol=1e-6)
    theirs = hf.AutoTokenizer.from_pretrained(tmp_path)
    ids = theirs(["red"], padding="max_length", return_tensors="pt")["input_ids"]
    wanted = hf.SiglipModel.from_pretrained(tmp_path).eval().text_model(input_ids=ids)
    torch.testing.assert_close(encoder(alone), wanted.pooler_output, rtol=1e-5, atol=1e-6)


def test_long_texts_are_cut_and_the_id_of_padding_is_that_of_the_tokenizer(tmp_path):
    hf.BertConfig(**SIZES, vocab_size=12, max_position_embeddings=12).save_pretrained(tmp_path)
    known = write_tokenizer(tmp_path, longest=6)
    tokenizer = PretrainedTokenizer.from_folder(tmp_path)
    ids = tokenizer.encode(["a " * 50, "red"])
    assert ids.shape == (2, 6)
    assert ids[1].tolist() == [known["red"], known["</s>"], *[known["<pad>"]] * 4]
    assert tokenizer.decode(ids)[1] == "red"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--image", "dino"], "expected hf:DIR"),
        (["--image", "hf:nowhere"], "got no such folder"),
        (["--image", "hf:{data}"], "got one without config.json"),
        (["--image", "hf:google/vit-base"], "`hf download NAME --local-dir DIR` makes the folder"),
        (["--text", "hf:{dino}"], "a dinov2, which sees pictures; expected the folder of a text"),
        (["--image", "hf:{bert}"], "a bert, which reads texts; expected the folder of an image"),
        (["--image", "hf:{dino}", "--model", "tcl"], "expected another model"),
        (["--image", "hf:{dino}", "--compile"], "expected neither"),
        (["--tuning", "lora"], "without encoders from folders"),
        (["--image", "hf:{dino}", "--image.size", "64"], "image.size of the encoder"),
        (["--image", "hf:{dino}", "--lora-rank", "4"], "expected tuning lora"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(folders, tmp_path, capsys, options, words):
    names = {name: folders / name for name in ("data", "dino", "bert")}
    told = [option.format(**names) for option in options]
    out = ["--data", str(folders / "data"), "--out", str(tmp_path / "run")]
    assert main(["train", *out, *SOME, *told]) in (1, 2)  # 2: the parser's box, in lines of its own
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_weights_that_lack_a_part_are_refused(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folders / "dino", tmp_path / "dino")
    weights = load_file(tmp_path / "dino/model.safetensors")
    del weights["layernorm.weight"]
    save_file(weights, tmp_path / "dino/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"have nothing for layernorm\.weight"):
        load_image_folder(tmp_path / "dino", "frozen")


def refused(folder, load, words):
    with pytest.raises(ValueError, match=words):
        load(folder, "frozen")


def test_a_text_encoder_without_its_tokenizer_is_refused(tmp_path):
    """transformers makes one that knows no word, by which all texts of a length are one."""
    config = hf.BertConfig(**SIZES, vocab_size=9, max_position_embeddings=12)
    hf.BertModel(config).save_pretrained(tmp_path)
    refused(tmp_path, load_text_folder, "expected a tokenizer, got none")
    write_tokenizer(tmp_path)
    refused(tmp_path, load_text_folder, "the tokenizer has ids up to 10 and the model 9 tokens")


def test_what_is_no_encoder_of_texts_or_of_whole_pictures_is_refused(tmp_path):
    texts, pictures = tmp_path / "texts", tmp_path / "pictures"
    write_tokenizer(texts)
    config = hf.T5Config(vocab_size=12, d_model=12, d_kv=6, d_ff=16, num_layers=1, num_heads=2)
    hf.T5Model(config).save_pretrained(texts)
    refused(texts, load_text_folder, "a t5 of an encoder and a decoder")
    hf.ViTMAEModel(hf.ViTMAEConfig(**PICTURES)).save_pretrained(pictures)
    write_pixels(pictures)
    refused(pictures, load_image_folder, "ViTMAEModel gives other features of a picture every time")
