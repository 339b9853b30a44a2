"""Lightning and accelerate themselves: a model with a learned curvature, saved and restored."""

import accelerate
import lightning
import pytest
import torch
from client_model import A, B, Model

PAIRS = torch.utils.data.TensorDataset(A, B)


class Lit(lightning.LightningModule):
    def __init__(self, curvature=-1.0):
        super().__init__()
        self.model = Model(curvature)

    def training_step(self, batch, index):
        return self.model(*batch)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.05)


def curvature_of(model):
    return float(model.space.curvature.detach())


def parameters_are_each_once(model):
    return len({id(p) for p in model.parameters()}) == 4  # weight, bias, curvature, scale


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_of_lightning_restores_the_curvature(tmp_path):
    torch.manual_seed(0)
    quiet = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": tmp_path,
    }
    module = Lit()
    trainer = lightning.Trainer(max_epochs=4, **quiet)
    trainer.fit(module, torch.utils.data.DataLoader(PAIRS, 8))
    learned = curvature_of(module.model)
    assert abs(learned + 1) > 0.01
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    # Built with another start: what it was trained from is in the state too.
    again = Lit.load_from_checkpoint(tmp_path / "last.ckpt", curvature=-3.0)
    assert curvature_of(again.model) == learned
    with torch.no_grad():
        assert torch.equal(again.model(A, B), module.model(A, B))


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_of_accelerate_restores_the_curvature_and_the_optimiser(tmp_path):
    torch.manual_seed(0)
    accelerator = accelerate.Accelerator(cpu=True)

    def prepared(curvature):
        model = Model(curvature)
        return accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr=0.05))

    def step(model, optimizer):
        optimizer.zero_grad()
        loss = model(A, B)
        accelerator.backward(loss)
        optimizer.step()
        return float(loss.detach())

    model, optimizer = prepared(-1.0)
    assert parameters_are_each_once(model)
    for _ in range(8):
        step(model, optimizer)
    learned = curvature_of(accelerator.unwrap_model(model))
    assert abs(learned + 1) > 0.01
    accelerator.save_state(tmp_path / "state")
    after = [step(model, optimizer) for _ in range(3)]
    accelerator.load_state(tmp_path / "state")
    assert curvature_of(accelerator.unwrap_model(model)) == learned
    assert [step(model, optimizer) for _ in range(3)] == after
