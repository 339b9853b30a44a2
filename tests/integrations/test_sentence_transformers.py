"""sentence-transformers itself: its losses, its trainer, its evaluators, its folders."""

import importlib

import pytest
import torch
from scipy.stats import spearmanr
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.evaluation import (
    BinaryClassificationEvaluator,
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
    RerankingEvaluator,
    TripletEvaluator,
)
from sentence_transformers.sentence_transformer.modules import (
    Pooling,
    StaticEmbedding,
    Transformer,
)
from sklearn.metrics import average_precision_score
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel, BertTokenizer

from spaceforms.integrations.sentence_transformers import (
    DistanceSentenceTransformer,
    SentencePoints,
    similarity,
)
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Product, Sphere

WORDS = ["cat", "dog", "oak", "elm", "animal", "tree", "thing"]
QUERIES = ["cat", "dog", "oak", "elm"]
ANSWERS = ["animal", "animal thing", "tree", "tree thing"]


def static(dim=6):
    torch.manual_seed(0)
    tokenizer = Tokenizer(WordLevel({w: k for k, w in enumerate(["[UNK]", *WORDS])}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return StaticEmbedding(tokenizer, embedding_dim=dim)


def bert(folder):
    """A BERT of two layers with random weights, and a mean over tokens."""
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    BertTokenizer(str(vocabulary)).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16}
    chance = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = BertConfig(vocab_size=12, num_hidden_layers=2, **sizes, **chance)
    BertModel(config).save_pretrained(folder)
    transformer = Transformer(str(folder))
    return transformer, Pooling(8, "mean")


def made(space, scale=0.5, module=None):
    encoder = (static(),) if module is None else module
    return SentenceTransformer(modules=[*encoder, SentencePoints(space, scale)], device="cpu")


@pytest.mark.parametrize("both", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("cached", [False, True], ids=["", "cached"])
@pytest.mark.parametrize("space", [Lorentz(-0.7), Sphere(0.1), Euclidean()], ids=str)
def test_ranking_losses_are_the_cross_entropy_of_minus_distances(space, cached, both, tmp_path):
    ways = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    options = {"scale": 3.0, "similarity_fct": similarity(space)} | (ways if both else {})
    model = made(space, module=bert(tmp_path))
    if cached:
        criterion = losses.CachedMultipleNegativesRankingLoss(model, mini_batch_size=2, **options)
    else:
        criterion = losses.MultipleNegativesRankingLoss(model, **options)
    found = criterion([model.preprocess(texts) for texts in (QUERIES, ANSWERS)], None)
    a, b = (model(model.preprocess(texts))["sentence_embedding"] for texts in (QUERIES, ANSWERS))
    x, y = space.from_normal(a), space.from_normal(b)
    logits = torch.stack([-3.0 * space.dist(p, y) for p in x])
    wanted = torch.nn.functional.cross_entropy(logits, torch.arange(4))
    if both:
        wanted = (wanted + torch.nn.functional.cross_entropy(logits.T, torch.arange(4))) / 2
    # The encoder's batches of two and of four may differ by some 100 u, the distances by as much.
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    found.backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    wanted.backward()
    wanted_gradients = [p.grad for p in model.parameters() if p.grad is not None]
    for ours, theirs in zip(gradients, wanted_gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_trainer_learns_the_curvature_and_the_folder_gives_it_back(tmp_path):
    Dataset = importlib.import_module("datasets").Dataset  # the library, not the room
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )

    space = Lorentz(-1.0, learnable=True, bounds=(-10.0, -0.1))
    model = made(space)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            str(tmp_path / "run"),
            max_steps=20,
            per_device_train_batch_size=4,
            learning_rate=0.05,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=Dataset.from_dict({"anchor": QUERIES * 4, "positive": ANSWERS * 4}),
        loss=losses.MultipleNegativesRankingLoss(
            model, scale=1.0, similarity_fct=similarity(space)
        ),
    )
    before = float(space.curvature.detach())
    trainer.train()
    learned = float(model.space.curvature.detach())
    assert abs(learned - before) > 0.01
    assert model.space is space
    model.save(str(tmp_path / "model"))
    again = DistanceSentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert float(again.space.curvature.detach()) == learned
    assert again.space._magnitude.bounds == (0.1, 10.0)
    assert float(again[1].scale().detach()) == float(model[1].scale().detach())
    wanted = model.similarity(model.encode(QUERIES), model.encode(ANSWERS))
    assert torch.equal(again.similarity(again.encode(QUERIES), again.encode(ANSWERS)), wanted)


@pytest.mark.parametrize(
    "space", [Euclidean(), Sphere(0.5), PoincareBall(-3.0, learnable=True)], ids=str
)
def test_every_kind_of_space_comes_back_by_its_class_path(space, tmp_path):
    made(space, scale=0.25).save(str(tmp_path))
    assert "spaceforms.integrations.sentence_transformers.SentencePoints" in (
        tmp_path / "modules.json"
    ).read_text(encoding="utf-8")
    again = DistanceSentenceTransformer(str(tmp_path), device="cpu")
    assert repr(again.space) == repr(space)
    assert float(again[1].scale().detach()) == 0.25


def test_similarity_of_the_model_is_the_distance_for_arrays_tensors_and_one_vector():
    space = Lorentz(-2.0)
    model = made(space)
    array, tensor = model.encode(QUERIES), model.encode(ANSWERS, convert_to_tensor=True).cpu()
    x, y = space.from_normal(torch.from_numpy(array)), space.from_normal(tensor)
    wanted = -space.cdist(x, y)
    # matmul=True: an absolute error of a few float64 units, times cs(r)^2 < 100, in sinh(d/2)^2.
    torch.testing.assert_close(model.similarity(array, tensor), wanted, rtol=1e-6, atol=0)
    pairs = model.similarity_pairwise(array, list(tensor))
    assert torch.equal(pairs, -space.dist(x, y))
    assert model.similarity(array[0], tensor).shape == (1, 4)


def _two_answers(space):
    """By cosine "thing" is nearer to "cat" than "animal", and by the dot product much more."""
    model = made(space, scale=1.0)
    with torch.no_grad():
        rows = {"cat": (1.0, 0), "animal": (1.2, 0.1), "thing": (5.0, 0), "dog": (1.0, 0)}
        model[0].embedding.weight.zero_()
        for word, (first, second) in rows.items():
            row = model[0].embedding.weight[1 + WORDS.index(word)]
            row[0], row[1] = first, second
    return model


def test_the_retrieval_evaluator_goes_by_the_distance_and_says_so():
    model = _two_answers(Lorentz(-1.0))
    evaluator = InformationRetrievalEvaluator(
        {"q": "cat"}, {"far": "thing", "near": "animal"}, {"q": {"near"}}, write_csv=False
    )
    found = evaluator(model)
    assert found["distance_accuracy@1"] == 1.0
    assert not [name for name in found if "cosine" in name]


def test_evaluators_that_know_four_similarities_report_none_and_their_figures_are_a_line_each():
    model = made(Lorentz(-1.0), scale=2.0)
    scores, labels = [0.1, 0.4, 0.2, 0.9], [0, 1, 0, 1]
    others = ANSWERS[1:] + ANSWERS[:1]
    pairs = EmbeddingSimilarityEvaluator(QUERIES, ANSWERS, scores, write_csv=False)
    assert pairs(model) == {}
    assert TripletEvaluator(QUERIES, ANSWERS, others, write_csv=False)(model) == {}
    with pytest.raises(KeyError, match="distance"):
        BinaryClassificationEvaluator(QUERIES, ANSWERS, labels, write_csv=False)(model)

    # On flat space minus the distance is their own "euclidean", so their figures are known.
    flat = made(Euclidean(), scale=2.0)
    plain = SentenceTransformer(modules=[flat[0]], device="cpu", similarity_fn_name="euclidean")

    def measured(texts1, texts2):
        return flat.similarity_pairwise(flat.encode(texts1), flat.encode(texts2))

    found = EmbeddingSimilarityEvaluator(QUERIES, ANSWERS, scores, write_csv=False)(plain)
    ours = spearmanr(scores, measured(QUERIES, ANSWERS)).statistic
    assert abs(ours - found["spearman_euclidean"]) < 1e-9
    found = TripletEvaluator(QUERIES, ANSWERS, others, write_csv=False)(plain)
    ours = (measured(QUERIES, ANSWERS) > measured(QUERIES, others)).float().mean()
    assert float(ours) == found["euclidean_accuracy"]
    found = BinaryClassificationEvaluator(QUERIES, ANSWERS, labels, write_csv=False)(plain)
    ours = average_precision_score(labels, measured(QUERIES, ANSWERS))
    assert abs(ours - found["euclidean_ap"]) < 1e-9


def test_the_reranking_evaluator_goes_by_the_distance_if_told_to():
    model = _two_answers(Lorentz(-1.0))
    samples = [{"query": "cat", "positive": ["animal"], "negative": ["dog thing", "thing"]}]
    by_distance = RerankingEvaluator(
        samples, similarity_fct=model.similarity, show_progress_bar=False, write_csv=False
    )
    assert by_distance(model)["map"] == 1.0
    by_cosine = RerankingEvaluator(samples, show_progress_bar=False, write_csv=False)
    assert by_cosine(model)["map"] < 1.0  # what our page warns of


def test_a_plain_model_with_such_a_module_measures_by_distance_too(tmp_path):
    model = made(Lorentz(-2.0))
    assert type(model) is DistanceSentenceTransformer
    model.save(str(tmp_path))
    with pytest.raises(ValueError, match="SentencePoints"):
        SentenceTransformer(str(tmp_path), device="cpu")
    plain = SentenceTransformer(str(tmp_path), device="cpu", trust_remote_code=True)
    assert plain.similarity_fn_name == "distance"
    a, b = model.encode(QUERIES), model.encode(ANSWERS)
    assert torch.equal(plain.similarity(a, b), model.similarity(a, b))


def test_what_cannot_be_saved_or_measured_gets_a_sentence():
    with pytest.raises(TypeError, match="space is a Product"):
        SentencePoints(Product([Lorentz(), Sphere()], dims=[3, 3]))
    with pytest.raises(ValueError, match="the modules are StaticEmbedding; expected a SentenceP"):
        DistanceSentenceTransformer(modules=[static()])
    with pytest.raises(ValueError, match="similarity_fn_name is 'cosine'; expected 'distance'"):
        made(Lorentz()).similarity_fn_name = "cosine"
