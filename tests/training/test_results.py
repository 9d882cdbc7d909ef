# SPDX-License-Identifier: Apache-2.0
"""The results page says what the stored rows say: same bytes again, misses counted, nothing missing hidden."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from radiomicnet_md.errors import ConfigurationError, InputError
from radiomicnet_md_training import results
from radiomicnet_md_training.results import known, read, summary, words
from radiomicnet_md_validation import statistics
from tests.training.stored_rows import Lines, edit, lines, section, store, text, three


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Three rows: `locked`, the paper's preset with two seeds, and U-Net."""
    return three(tmp_path / "stored")


@pytest.mark.verifies("SRS-MOD-012")
def test_the_page_and_its_pictures_are_made_again_byte_for_byte(stored: Path, tmp_path: Path) -> None:
    store(stored, "rho-0", lines(0.6, ("one view", "two views"), (1,)))
    store(
        stored,
        "kvasir-locked",
        [line | {"id": f"k{line['id']}"} for line in lines(0.7, ("one view", "two views"), (1,))],
    )
    made = []
    for name in ("first", "second"):
        out = tmp_path / name
        (out / "results").mkdir(parents=True)
        (out / "results" / "old.png").write_bytes(b"of rows that are gone")
        results.tables(stored, out)
        made.append(
            {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}
        )
    assert made[0] == made[1]
    pictures = {"curves", "dsc", "histogram", "reliability", "rho"}
    assert set(made[0]) == {"results.md", *(f"results/{name}.png" for name in pictures)}
    whole = made[0]["results.md"].decode()
    assert set(re.findall(r"\]\(results/(\w+)\.png\)", whole)) == pictures
    assert "demonstration on public data, not clinical evidence" in whole.lower()
    assert not re.search(r"(?<![\w-])(nan|inf)\b", whole, re.IGNORECASE)
    assert all(content.startswith(b"\x89PNG") for name, content in made[0].items() if name.endswith("png"))


@pytest.mark.verifies("SRS-MOD-004", "SRS-MOD-012")
def test_every_figure_of_the_main_table_is_that_of_the_statistics(stored: Path) -> None:
    with (stored / "locked" / "cases.csv").open(newline="", encoding="utf-8") as stream:
        own = sorted((line for line in csv.DictReader(stream) if line["decision"] == "named"), key=lambda o: o["id"])
    lesions = [line for line in own if line["lesion"] == "1"]
    normals = [line for line in own if line["lesion"] == "0"]
    mean = statistics.bca([float(line["dice"]) for line in lesions], [line["group"] for line in lesions])
    labels, scores = [int(line["lesion"]) for line in own], [float(line["presence"]) for line in own]
    area = statistics.auc(labels, scores, [line["group"] for line in own])
    shares = []
    for part, wrong in ((lesions, "0"), (normals, "1")):
        bad = [line for line in part if line["found"] == wrong]
        held, of = len({o["group"] for o in bad}), len({o["group"] for o in part})
        limits = words.interval(statistics.clopper_pearson(held, of))
        shares.append(f"{len(bad)} of {len(part)}; groups {held} of {of}: {limits}")
    table = section(text(stored), "## Main table")
    header, found = table[0], next(row for row in table if row[1] == known.DECISIONS["named"])
    assert found[2:] == ["305,000", words.interval(mean), *shares, words.interval(area)]
    assert [cell.rpartition("n = ")[2] for cell in header[3:]] == ["48", "48", "12", "60"]
    assert isinstance(mean, statistics.Interval)
    assert re.fullmatch(r"0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", found[3])


@pytest.mark.verifies("SRS-MOD-012")
def test_every_comparison_is_that_of_the_statistics_with_holm_over_all(stored: Path) -> None:
    dice: dict[str, dict[str, float]] = {}
    groups: dict[str, str] = {}
    for name, decision in (("locked", "named"), ("locked", "two views"), ("paper", "two views"), ("unet", "two views")):
        with (stored / name / "cases.csv").open(newline="", encoding="utf-8") as stream:
            own = [o for o in csv.DictReader(stream) if o["decision"] == decision and o["lesion"] == "1"]
        several: dict[str, list[float]] = {}
        for line in own:
            several.setdefault(line["id"], []).append(float(line["dice"]))
            groups[line["id"]] = line["group"]
        dice[f"{name} {decision}"] = {case: float(np.mean(values)) for case, values in several.items()}
    order = sorted(groups)
    clusters = [groups[case] for case in order]
    values = {name: [of[case] for case in order] for name, of in dice.items()}
    pairs = [
        ("locked named", "locked two views"),
        ("locked named", "paper two views"),
        ("locked two views", "paper two views"),
        ("locked named", "unet two views"),
        ("locked two views", "unet two views"),
    ]
    p = [statistics.wilcoxon(values[a], values[b], clusters).p for a, b in pairs]
    adjusted = statistics.holm(p)
    expected = [
        [
            words.interval(statistics.paired_difference(values[a], values[b], clusters), signed=True),
            words.interval(statistics.hodges_lehmann(values[a], values[b], clusters), signed=True),
            words.chance(p[i]),
            words.chance(adjusted[i]),
        ]
        for i, (a, b) in enumerate(pairs)
    ]
    table = section(text(stored), "## Comparisons")
    assert [row[2:] for row in table[2:7]] == expected
    assert "Holm over these 5 comparisons" in text(stored)


@pytest.mark.verifies("SRS-MOD-012")
def test_another_network_under_the_region_layer_is_compared_by_its_decision(stored: Path) -> None:
    store(stored, "plain-region", lines(0.75, ("one view", "two views", "exact", "named", "oracle"), (1,)), "plain")
    rows = [row[:2] for row in section(text(stored), "## Comparisons") if "plain-region" in row[1]]
    assert rows == [["`locked`, named values", "`plain-region`, named values"]]


@pytest.mark.verifies("SRS-MOD-004")
def test_a_missed_lesion_lowers_the_mean_and_is_counted(stored: Path) -> None:
    before = summary.cases(read.rows(stored)["unet"], "two views")
    hit = next(i for i in np.flatnonzero(before.lesion) if before.scores["found"][i])
    score = dict.fromkeys(("dice", "iou", "precision", "recall", "nsd"), "0.000000") | {"found": 0, "hd95": "500.0"}

    def miss(kept: Lines) -> Lines:
        return [line | score if line["id"] == before.names[hit] else line for line in kept]

    edit(stored / "unet" / "cases.csv", miss)
    after = summary.cases(read.rows(stored)["unet"], "two views")
    assert summary.missed(after).wrong == summary.missed(before).wrong + 1
    lost = float(before.scores["dice"][hit]) / 48
    first, second = summary.mean(before.lesions), summary.mean(after.lesions)
    assert first.point is not None
    assert second.point == pytest.approx(first.point - lost)
    assert second.n == first.n == 48


@pytest.mark.verifies("SRS-MOD-004")
@pytest.mark.parametrize(("lesion", "found", "dice"), [(1, 0, 0.4), (0, 1, 1.0), (1, 1, 1.2), (1, 1, float("nan"))])
def test_a_line_that_hides_a_failure_is_refused(stored: Path, lesion: int, found: int, dice: float) -> None:
    def lie(kept: Lines) -> Lines:
        place = next(i for i, line in enumerate(kept) if int(line["lesion"]) == lesion)
        kept[place] |= {"found": found, "dice": dice}
        return kept

    edit(stored / "unet" / "cases.csv", lie)
    with pytest.raises(InputError) as caught:
        read.rows(stored)
    assert caught.value.code == "E-RESULTS-TORN"


@pytest.mark.verifies("SRS-MOD-009", "SRS-MOD-012")
def test_a_unit_trained_elsewhere_names_its_device_and_its_software(stored: Path) -> None:
    about = json.loads((stored / "unet" / "run.json").read_text())
    about["units"][0] |= {"device": "Maker 9000", "software": {"torch": "2.1+gpu", "python": "3.12.3"}}
    (stored / "unet" / "run.json").write_text(json.dumps(about))
    made = text(stored)
    spent, made_from = (
        next(row for row in section(made, heading) if row[0] == "`unet`")
        for heading in ("## Training time", "## What each row was made from")
    )
    assert spent[2] == "Maker 9000, cpu"
    assert made_from[-1] == "python 3.11.0, torch 2.0; python 3.12.3, torch 2.1+gpu"


@pytest.mark.verifies("SRS-MOD-012")
def test_a_planned_row_without_a_run_says_so_with_its_reason(stored: Path) -> None:
    (stored / "not-run.yaml").write_text("transunet: 105 million parameters do not fit the time\nother: an idea\n")
    made = text(stored)
    assert "| TransUNet | NOT RUN | 105 million parameters do not fit the time |" in made
    assert "| `other` | NOT RUN | an idea |" in made
    assert "| U-KAN | NOT RUN | no reason given |" in made
    main = [row for row in section(made, "## Main table") if row[1] == "NOT RUN"]
    assert [row[0] for row in main] == [
        title for name, title in known.ROWS.items() if name not in {"locked", "paper", "unet"}
    ]
    assert "| U-Net | NOT RUN" not in made


@pytest.mark.verifies("SRS-MOD-012")
@pytest.mark.parametrize("content", ["- a list\n", "transunet: {a: b}\n", "transunet: [\n"])
def test_reasons_that_are_none_are_refused(stored: Path, content: str) -> None:
    (stored / "not-run.yaml").write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        read.not_run(stored)
    assert caught.value.code == "E-RESULTS-NOT-RUN"


@pytest.mark.verifies("SRS-MOD-012")
def test_what_was_tried_is_printed_and_an_entry_without_its_figures_refused(stored: Path) -> None:
    assert "## What was tried" not in text(stored)
    entry = {"kind": "loss", "idea": "another", "setting": "fold 0", "without": ".5", "found": ".4", "verdict": "worse"}
    (stored / "tried.yaml").write_text(yaml.safe_dump([entry]))
    assert section(text(stored), "## What was tried to reach them")[2] == list(entry.values())
    del entry["without"]
    (stored / "tried.yaml").write_text(yaml.safe_dump([entry]))
    with pytest.raises(ConfigurationError) as caught:
        read.tried(stored)
    assert caught.value.code == "E-RESULTS-TRIED"


@pytest.mark.verifies("SRS-MOD-012")
def test_rows_with_other_cases_are_not_compared(stored: Path, tmp_path: Path) -> None:
    edit(stored / "unet" / "cases.csv", lambda kept: [line for line in kept if line["id"] != "case_030"])
    with pytest.raises(InputError, match="locked and unet") as caught:
        results.tables(stored, tmp_path / "out")
    assert caught.value.code == "E-RESULTS-CASES"
    assert not (tmp_path / "out").exists()


@pytest.mark.verifies("SRS-MOD-012")
def test_a_row_is_whole_or_refused_wherever_its_file_is_torn(stored: Path) -> None:
    path = stored / "locked" / "cases.csv"
    whole = path.read_text()
    ends = [match.end() for match in re.finditer("\n", whole)]
    places = {0, 10, len(whole) - 1, *ends[:-1:37], *(end + 25 for end in ends[:-1:41])}
    for place in sorted(places):
        path.write_text(whole[:place])
        with pytest.raises(InputError) as caught:
            read.rows(stored)
        assert caught.value.code == "E-RESULTS-TORN"
    path.write_text(whole + whole.splitlines(keepends=True)[-1])
    with pytest.raises(InputError, match="once"):
        read.rows(stored)


@pytest.mark.verifies("SRS-MOD-012")
@pytest.mark.parametrize("name", ["run.json", "calibration.json", "curve.csv"])
def test_other_torn_files_of_a_row_are_refused_too(stored: Path, name: str) -> None:
    path = stored / "paper" / name
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="paper") as caught:
        read.rows(stored)
    assert caught.value.code == "E-RESULTS-TORN"


@pytest.mark.verifies("SRS-MOD-012")
def test_nothing_stored_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        results.tables(tmp_path / "nowhere", tmp_path / "out")
    assert caught.value.code == "E-RESULTS-NONE"


@pytest.mark.verifies("SRS-MOD-012", "SRS-MOD-004")
def test_what_the_data_cannot_bear_is_printed_with_its_reason(stored: Path) -> None:
    def same(kept: Lines) -> Lines:
        return [line | {"dice": "0.5", "found": 1} if line["lesion"] == "1" else line for line in kept]

    edit(stored / "unet" / "cases.csv", same)
    made = text(stored)
    row = next(row for row in section(made, "## Main table") if row[0] == "U-Net")
    assert row[3].startswith("0.500 (inconclusive: every sample of these groups gives the same value")
