"""Fine-tuning: which layers learn when and how fast, from which weights, and what it gains."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from calling import UNMEASURED, call, done, write_digits
from fathom.core.errors import FathomError, SettingError
from fathom.core.seeds import seed_everything
from fathom.data import shapes
from fathom.data.class_halves import half
from fathom.data.images import load_pictures
from fathom.engine.runs import open_run
from fathom.models.networks import make_network
from fathom.recipes.fine_tuning import fine_tuning
from fathom.recipes.libraries import library
from fathom.recipes.pretrained import pretrained
from fathom.vision.grad_cam import grad_cam

RUN = ("--augment", "none", "--batch-size", 32, "--lr", 0.05, *UNMEASURED)
TORCH = library("torch")


def known(word, network=None):
    return pretrained(str(word), network, TORCH, "torch")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A network with its weights in the forms in which they are handed on."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    model = make_network("resnet18", 6)
    state = model.state_dict()
    save_file(state, folder / "r.safetensors")
    torch.save(state, folder / "r.pth")
    older = {n: v for n, v in state.items() if not n.endswith("num_batches_tracked")}
    torch.save({"state_dict": older, "epoch": 3}, folder / "older.pt")
    return folder, model.eval()


@pytest.mark.parametrize("name", ["r.safetensors", "r.pth", "older.pt"])
def test_a_file_gives_its_network_back_after_a_layer_that_normalises(published, name):
    folder, model = published
    found = known(folder / name)
    assert found.form == (3, 224, 224)
    x = torch.rand(2, 3, 40, 40)
    imagenet = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    mean, std = (torch.tensor(row)[:, None, None] for row in imagenet)
    torch.testing.assert_close(found.model.eval()(x), model((x - mean) / std))


def test_the_second_half_has_the_other_classes_and_as_many_pictures_as_asked():
    pictures = load_pictures("shapes")
    first, second = half(pictures, 0), half(pictures, 1, per_class=4)
    assert not set(first.classes) & set(second.classes)
    assert set(first.classes) | set(second.classes) == set(shapes.CLASSES)
    assert torch.bincount(second.train.labels).tolist() == [4] * 11
    whole = pictures.train
    for image, label in zip(second.train.images, second.train.labels, strict=True):
        same = (whole.images == image).flatten(1).all(1).nonzero()[0, 0]
        assert pictures.classes[whole.labels[same]] == second.classes[label]
    assert len(first.valid) + len(second.valid) == len(pictures.valid)


def test_rates_are_the_head_s_and_fall_from_stage_to_stage_and_begin_in_their_epochs():
    experiment = fine_tuning(
        unfreeze=[0, 2, 4], lr=0.01, head=5.0, decay=2.0, epochs=6, compare=False, augment="none"
    )
    rates = []
    for _ in range(6):
        rates.append([group["lr"] for group in experiment.optimizer.param_groups])
        experiment.optimizer.step()
        experiment.schedule.step()
    full = [0.05, 0.01, 0.005, 0.0025, 0.00125, 0.000625]
    expected = [[full[0], 0, 0, 0, 0, 0]] * 2 + [[*full[:2], 0, 0, 0, 0]] * 2 + [full] * 2
    torch.testing.assert_close(torch.tensor(rates), torch.tensor(expected))


def test_what_was_learned_is_worth_more_than_what_is_learned_anew(tried_once):
    """Half of the sample's pictures are classes that no network has seen, twenty of each."""
    facts = tried_once("fine-tuning").said.json
    numbers = {name: n["value"] for name, n in facts["findings"]["numbers"].items()}
    assert numbers["accuracy fine-tuned"] > 2 * numbers["accuracy from zero"]
    assert numbers["accuracy fine-tuned"] > 0.3
    assert numbers["accuracy fine-tuned"] == facts["final"]["valid"]["accuracy"]
    assert (tried_once("fine-tuning").folder / "figures" / "from-zero.png").is_file()


def test_the_built_in_network_is_the_same_for_each_seed_and_draws_nothing():
    seed_everything(5)
    expected = torch.rand(3)
    seed_everything(5)
    one = known("shapes").model.state_dict()
    assert not torch.equal(torch.rand(3), expected), "its head and layers are drawn, no more"
    seed_everything(6)
    other = known("shapes").model.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_stopped_run_goes_on_bit_for_bit_where_stages_are_let_go(tmp_path):
    settings = (*RUN, "--unfreeze", "0,1,2", "--shots", 8, "--no-compare", "--quiet")
    done("run", "fine-tuning", *settings, "--epochs", 3, "--out", tmp_path / "whole")
    done("run", "fine-tuning", *settings, "--epochs", 1, "--out", tmp_path / "parts")
    for epochs in (2, 3):
        done("resume", tmp_path / "parts", "--epochs", epochs)
    whole, parts = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts")
    )
    assert whole == parts


def test_predicting_says_what_measuring_says(tmp_path):
    """Of the same pictures, written as files: normalised alike, or they would differ."""
    from PIL import Image

    run = tmp_path / "run"
    done("run", "fine-tuning", *RUN, "--shots", 5, "--epochs", 2, "--no-compare", "--out", run)
    valid = half(load_pictures("shapes"), 1).valid
    for number in range(60):
        array = valid.images[number].permute(1, 2, 0).numpy()
        Image.fromarray(array).save(tmp_path / f"{number:03d}.png")
    answers = done("predict", run, *sorted(tmp_path.glob("*.png")), "--json").json
    classes = shapes.CLASSES[1::2]
    right = [
        answer["class"] == classes[label]
        for answer, label in zip(answers, valid.labels[:60].tolist(), strict=True)
    ]
    experiment = fine_tuning(augment="none", compare=False, shots=5)
    found = open_run(str(run))
    from safetensors.torch import load_file

    experiment.model.load_state_dict(load_file(found.weights))
    inputs, labels = next(experiment.valid.limit(1).epoch(0, 0))
    with torch.no_grad():
        outputs = experiment.model.eval()(inputs[:60]).softmax(1)
    assert right == (outputs.argmax(1) == labels[:60]).tolist()
    given = torch.tensor([answer["probability"] for answer in answers])
    torch.testing.assert_close(given, outputs.amax(1), rtol=1e-4, atol=1e-5)


def test_a_run_of_one_s_own_is_gone_on_from(tmp_path):
    done(
        "run", "lenet", "--data", "digits", "--epochs", 1, "--out", tmp_path / "lenet", *UNMEASURED
    )
    for name in ("zero", "one"):
        write_digits(tmp_path / "mine" / name)
    said = done(
        "run", "fine-tuning", "--weights", tmp_path / "lenet", "--data", tmp_path / "mine",
        *RUN, "--epochs", 1, "--out", tmp_path / "tuned", "--json",
    )  # fmt: skip
    assert json.loads(said.out)["final"]["valid"]["accuracy"] >= 0
    before, after = (
        open_run(str(tmp_path / name)).weights.read_bytes() for name in ("lenet", "tuned")
    )
    assert before != after


def test_weights_that_do_not_fit_are_refused_in_one_line(published, tmp_path):
    folder, model = published
    state = model.state_dict()
    save_file({**state, "extra": torch.zeros(2)}, tmp_path / "more.safetensors")
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "torn.pth").write_bytes((folder / "r.pth").read_bytes()[:5000])
    (tmp_path / "text.safetensors").write_text("no weights")
    for word, network, told in (
        (tmp_path / "more.safetensors", None, "has the names and shapes of no network here"),
        (tmp_path / "more.safetensors", "resnet18", "extra is not in this model; name its --netw"),
        (folder / "r.pth", "resnet34", "is not in the file"),
        (folder / "r.pth", "resnet19", "resnet19: is no network; did you mean"),
        (tmp_path / "list.pt", None, "does not hold weights by name"),
        (tmp_path / "torn.pth", None, "cannot be read"),
        (tmp_path / "text.safetensors", None, "is not a whole safetensors file"),
        (tmp_path / "nothing.pth", None, "is neither a file of weights nor a run"),
    ):
        with pytest.raises(FathomError, match=told) as error:
            known(word, network)
        assert "\n" not in str(error.value)


def test_settings_that_make_no_sense():
    with pytest.raises(SettingError, match="--unfreeze 1,2: leaves nothing to learn at first"):
        fine_tuning(unfreeze=[1, 2], compare=False)
    with pytest.raises(SettingError, match="is for 7 groups of layers, and there are 6"):
        fine_tuning(unfreeze=[0] * 7, compare=False)
    said = call("run", "fine-tuning", "--data", "digits", *UNMEASURED)
    assert said.status == 2
    assert "its pictures have 1 channels, the network takes 3" in said.error


def test_grad_cam_looks_at_the_thing_and_not_beside_it():
    """Of pictures whose boxes are known: the brightest place is in the box, three times in four.

    A place that is drawn at random is there in as many cases as the boxes cover of the pictures.
    """
    model = known("shapes").model.eval()
    scenes = shapes.scenes(400, size=shapes.SIZE, seed=9, part="valid")
    learned = scenes.labels[:, 0] % 2 == 0
    images = scenes.pictures[learned].float() / 255
    with torch.no_grad():
        guesses = model(images).argmax(1)
    right = guesses == scenes.labels[learned][:, 0] // 2
    maps = grad_cam(model, images[right], guesses[right])
    size = (shapes.SIZE, shapes.SIZE)
    fine = torch.nn.functional.interpolate(maps[:, None], size, mode="bilinear")[:, 0]
    boxes = scenes.boxes[learned][right][:, 0] * shapes.SIZE
    rows, columns = (torch.arange(shapes.SIZE)[:, None] + 0.5, torch.arange(shapes.SIZE) + 0.5)
    left, top, low_right, bottom = (edge[:, None, None] for edge in boxes.unbind(1))
    inside = (columns >= left) & (columns <= low_right) & (rows >= top) & (rows <= bottom)
    brightest = fine.flatten(1).argmax(1, keepdim=True)
    hits = inside.flatten(1).gather(1, brightest).float().mean()
    assert right.sum() > 80
    assert inside.float().mean() < 0.35
    assert hits > 0.7
