"""What the sample asks for, where that needs a second look."""

from tests.layouts import SPECIES, csv, picture, pictures
from tests.miniatures.making import BOTH, PLAIN, TEST, TRAIN, Miniature, at, sample

ASKED_FOR: dict[str, Miniature] = {
    # ---- what the sample asks for ------------------------------------------------------------------------------------------
    "five columns of names": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,location,turtle", [f"{n},{'lr'[k % 2]},t_{k % 6}" for k, n in enumerate(TRAIN)]),
            **sample("id,prediction1,prediction2,prediction3", TEST, "t_1,new_turtle,t_2"),
        },
        "multiclass",
        "ranked",
        6,
        (12, "a00"),
        (4, "b00"),
    ),
    "samples of two stages": Miniature(
        lambda: {
            **BOTH,
            **PLAIN,
            **sample("id,label", TEST[:2], SPECIES[0], "sample_submission_stage1.csv"),
            **sample("id,label", TEST, SPECIES[0], "sample_submission_stage2.csv"),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "a sample with a column Usage": Miniature(
        lambda: {
            **BOTH,
            **PLAIN,
            "sample.csv": csv("id,label,Usage", [f"{n},{SPECIES[0]},{'Public' if n < 'b02' else 'Private'}" for n in TEST]),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "plant traits: the sample asks for X4, the label table has its mean and spread": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,rain,X4_mean,X11_mean,X4_sd", [f"{n},{k},{k / 7:.2f},{k / 3:.2f},0.{k}" for k, n in enumerate(TRAIN)]),
            "test.csv": csv("id,rain", [f"{n},3" for n in TEST]),
            **sample("id,X4,X11", TEST, "1,1"),
        },
        "regression",
        "number",
        2,
        (12, "a00"),
        (4, "b00"),
    ),
    "a probability by another name": Miniature(
        lambda: {
            **BOTH,
            "train.csv": csv("id,inc_angle,is_iceberg", [f"{n},{30 + k / 8},{k % 2}" for k, n in enumerate(TRAIN)]),
            **sample("id,Probability", TEST, "0.5"),
        },
        "binary",
        "probability",
        2,
        (12, "a00"),
        (4, "b00"),
    ),
    "ages by folder": Miniature(
        lambda: {
            **pictures(f"train/{20 + k % 4}/{n}.jpg" for k, n in enumerate(TRAIN)),
            **pictures(at(TEST, folder="test/")),
            **sample("id,age", TEST, "30"),
        },
        "regression",
        "number",
        1,
        (12, "a00"),
        (4, "b00"),
    ),
    "opinion scores of photographs, told apart by a column": Miniature(
        lambda: {
            **pictures(at([*TRAIN, *TEST], folder="512x384/")),
            "scores.csv": csv(
                "image_name,c1,MOS,SD,set",
                [f"{n}.jpg,{k % 5},{1 + k / 8},{k % 3},{'test' if n in TEST else 'training'}" for k, n in enumerate([*TRAIN, *TEST])],
            ),
        },
        "regression",
        "number",
        1,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    "camera traps: sites in a table beside the labels": Miniature(
        lambda: {
            **{
                f"{part}_features/{n}.jpg": picture(k)
                for part, ns in (("train", range(40)), ("test", range(50, 54)))
                for k, n in enumerate(ns)
            },
            "train_features.csv": csv("id,filepath,site", [f"{n},train_features/{n}.jpg,S{n // 3}" for n in range(40)]),
            "test_features.csv": csv("id,filepath,site", [f"{n},test_features/{n}.jpg,S99" for n in range(50, 54)]),
            "train_labels.csv": csv("id,bird,hog,blank", [f"{n}," + ",".join(str(float(n % 3 == k)) for k in range(3)) for n in range(40)]),
            "submission_format.csv": csv("id,bird,hog,blank", [f"{n},0.3,0.3,0.4" for n in range(50, 54)]),
        },
        "multiclass",
        "probabilities",
        3,
        (40, "0"),
        (4, "50"),
        "site",
        "train_features.csv tells more about the images of train_labels.csv: 'filepath', 'site'",
    ),
}
