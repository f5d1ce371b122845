"""Runs from Python: recipes as dictionaries, results as data frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import offkey


def test_recipes_are_named_changed_and_built_upon(tmp_path: Path) -> None:
    assert {"default", "small", "tiny"} <= set(offkey.recipes.names())
    small = offkey.recipes.resolve("small")
    assert small["name"] == "small" and small == offkey.recipes.resolve(small)
    mine = {"base": "log-mel-statistics", "name": "mine", "backend": {"knn": {"neighbors": 3}}}
    resolved = offkey.recipes.resolve(mine)
    assert resolved["name"] == "mine" and resolved["backend"]["knn"]["neighbors"] == 3
    changed = offkey.recipes.resolve(mine, {"backend.knn.neighbors": 5, "name": "other"})
    assert changed["backend"]["knn"]["neighbors"] == 5 and changed["name"] == "other"
    file = tmp_path / "base.toml"
    file.write_text('base = "small"\nname = "of a file"\n')
    assert offkey.recipes.resolve({"base": str(file), "description": "x"})["name"] == "of a file"


@pytest.mark.parametrize("engine", ["pandas", "polars"])
def test_a_run_is_read_into_data_frames(run: offkey.Run, engine: str) -> None:
    pytest.importorskip(engine)
    scores, clips, embeddings = run.scores(engine), run.clips(engine), run.embeddings()
    assert embeddings.shape[0] == len(clips) and embeddings.dtype == np.float32
    assert len(scores) > 0 and set(scores["machine"]) == set(clips["machine"])
    assert {type(value) for value in list(scores["score"])} == {float}
    assert set(scores["section"]) == {"00"}, "a section stays a text"
    thresholds = run.thresholds(engine)
    assert (
        len(thresholds) == 2 and list(thresholds["references"]) == [8, 8] or thresholds is not None
    )
    assert len(run.per_section(engine)) == 2
    assert run.metrics["auc"] == pytest.approx(float(np.mean(list(run.per_section(engine)["auc"]))))
    assert run.recipe["name"] == "log-mel-statistics" and run.manifest["seed"] == 0
    assert run.seeds == []


def test_metrics_of_a_run_follow_from_its_scores(run: offkey.Run) -> None:
    scores = run.scores()
    text = lambda column: [value or "" for value in scores[column]]  # noqa: E731
    found = offkey.metrics.evaluate(
        scores["score"],
        text("label"),
        machine=text("machine"),
        section=text("section"),
        domain=text("domain"),
        name=text("name"),
        group=text("group"),
        decision=list(scores["decision"]),
        year=run.metrics["year"],
    )
    assert found["official_score"] == run.metrics["official_score"]
    assert found["per_section"] == run.metrics["per_section"]


def test_a_network_is_trained_from_a_dictionary_and_explained(
    machines: Path, tmp_path: Path
) -> None:
    recipe = {"base": "tiny", "name": "few steps"}
    stages: list[str] = []
    run = offkey.run(
        recipe,
        machines,
        tmp_path / "run",
        changes={"model.network.training.length.steps": 6, "model.network.encoder.clip_s": 2.0},
        progress=lambda step: stages.append(step.stage),
    )
    assert {"train", "embed", "score"} <= set(stages)
    losses = run.losses()
    assert len(losses) == 6 and np.isfinite(losses["loss"]).all()
    detector = offkey.Detector.load(run.root)
    clip = run.scores().iloc[0]["path"]
    (explained,) = detector.explain(clip, tmp_path / "explain", masks=32)
    assert explained["words"] and (Path(explained["folder"]) / "explanation.svg").is_file()
    with pytest.raises(offkey.OffkeyError) as caught:
        offkey.run(recipe, machines, tmp_path / "run")
    assert caught.value.hint


def test_several_seeds_are_runs_of_one_folder(machines: Path, tmp_path: Path) -> None:
    run = offkey.run("log-mel-statistics", machines, tmp_path / "seeds", seeds=(0, 1))
    assert run.seeds == [0, 1] and len(run.metrics["seeds"]) == 2
    assert len(run.of_seed(1).scores()) > 0
    with pytest.raises(offkey.FailedError, match="is not there") as caught:
        run.scores()
    assert "of_seed" in caught.value.hint


def test_a_monitor_explains_itself(pump: offkey.Detector, tmp_path: Path) -> None:
    from conftest import hum
    from test_detector import write_wav

    path = write_wav(tmp_path / "squeal.wav", hum(3, fault=0.2))
    (explained,) = pump.explain(path)
    assert explained["clip"]["verdict"] == "alarm" and len(explained["members"]) == 4
