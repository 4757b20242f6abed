"""Competitions by the names of theirs on Kaggle."""

from tests.layouts import SPECIES, archive, csv, picture, pictures
from tests.miniatures.making import TEST, TRAIN, Miniature, labels, sample, tiffs

BY_NAME: dict[str, Miniature] = {
    "tiny-imagenet: folders of classes, boxes beside, a table of validation images": Miniature(
        lambda: {
            **pictures(f"tiny/train/n0{kind}/images/n0{kind}_{number}.JPEG" for kind in range(3) for number in range(4)),
            **{
                f"tiny/train/n0{kind}/n0{kind}_boxes.txt": "".join(f"n0{kind}_{number}.JPEG\t0\t0\t62\t39\n" for number in range(4))
                for kind in range(3)
            },
            **pictures(f"tiny/val/images/val_{number}.JPEG" for number in range(6)),
            "tiny/val/val_annotations.txt": "".join(f"val_{number}.JPEG\tn0{number % 3}\t0\t0\t62\t39\n" for number in range(6)),
            **pictures(f"tiny/test/images/test_{number}.JPEG" for number in range(4)),
            "tiny/wnids.txt": "n00\nn01\nn02\n",
            "tiny/words.txt": "n00\tgoldfish, Carassius auratus\nn01\tEuropean fire salamander\nn02\tbullfrog\n",
        },
        *("multiclass", "label", 3, (18, "n00_0"), (4, "test_0")),
        note="not read: 3 files _boxes.txt of one folder each",
    ),
    "state-farm-distracted-driver-detection": Miniature(
        lambda: {
            **pictures(f"imgs/train/c{n % 3}/img_{n}.jpg" for n in range(36)),
            **pictures(f"imgs/test/img_{n}.jpg" for n in range(100, 104)),
            "driver_imgs_list.csv": csv("subject,classname,img", [f"p{n // 3:03d},c{n % 3},img_{n}.jpg" for n in range(36)]),
            **sample("img,c0,c1,c2", [f"img_{n}.jpg" for n in range(100, 104)], "0.3,0.3,0.4"),
        },
        "multiclass",
        "probabilities",
        3,
        (36, "img_0.jpg"),
        (4, "img_100.jpg"),
        "subject",
    ),
    "histopathologic-cancer-detection": Miniature(
        lambda: {
            **tiffs(f"train/{n}.tif" for n in TRAIN),
            **tiffs(f"test/{n}.tif" for n in TEST),
            "train_labels.csv": csv("id,label", [f"{n},{k % 2}" for k, n in enumerate(TRAIN)]),
            **sample("id,label", TEST, "0"),
        },
        "binary",
        "probability",
        2,
        (12, "a00"),
        (4, "b00"),
    ),
    "diabetic-retinopathy-detection": Miniature(
        lambda: {
            **pictures(f"train/{n}_{eye}.jpeg" for n in range(10, 22) for eye in ("left", "right")),
            **pictures(f"test/{n}_{eye}.jpeg" for n in (1, 2) for eye in ("left", "right")),
            "trainLabels.csv.zip": archive(
                {"trainLabels.csv": csv("image,level", [f"{n}_{eye},{n % 5}" for n in range(10, 22) for eye in ("left", "right")])}
            ),
            "sampleSubmission.csv.zip": archive(
                sample("image,level", ["1_left", "1_right", "2_left", "2_right"], "0", "sampleSubmission.csv")
            ),
        },
        "ordinal",
        "label",
        5,
        (24, "10_left"),
        (4, "1_left"),
    ),
    "iwildcam-2020": Miniature(
        lambda: {
            **pictures(f"train/{n}.jpg" for n in range(60)),
            **pictures(f"test/{n}.jpg" for n in range(90, 94)),
            "train.csv": csv(
                "category_id,date_captured,file_name,frame_num,id,location,seq_id,seq_num_frames,width,height",
                [f"{n // 2 % 3},2011-05-13 {n:02d}:43,{n}.jpg,{n % 2},{n},{n // 5},s{n // 2},2,5,4" for n in range(60)],
            ),
            "test.csv": csv(
                "date_captured,file_name,frame_num,id,location,seq_id,seq_num_frames,width,height",
                [f"2011-05-13 {n}:43,{n}.jpg,0,{n},77,t{n},1,5,4" for n in range(90, 94)],
            ),
            **sample("Id,Predicted", map(str, range(90, 94)), "0"),
        },
        "multiclass",
        "label",
        3,
        (60, "0.jpg"),
        (4, "90"),
        "location",
    ),
    "happy-whale-and-dolphin": Miniature(
        lambda: {
            **pictures(f"train_images/{n}.jpg" for n in TRAIN),
            **pictures(f"test_images/{n}.jpg" for n in TEST),
            "train.csv": csv(
                "image,species,individual_id", [f"{n}.jpg,{['melon_headed', 'humpback'][k % 2]},{k % 6:012x}" for k, n in enumerate(TRAIN)]
            ),
            **sample("image,predictions", [f"{n}.jpg" for n in TEST], " ".join(f"{k:012x}" for k in range(5))),
        },
        "multiclass",
        "ranked",
        6,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    "paddy-disease-classification": Miniature(
        lambda: {
            **pictures(f"train_images/{SPECIES[k % 3].lower().replace(' ', '_')}/{n}.jpg" for k, n in enumerate(TRAIN)),
            **pictures(f"test_images/{n}.jpg" for n in TEST),
            "train.csv": csv(
                "image_id,label,variety,age",
                [f"{n}.jpg,{SPECIES[k % 3].lower().replace(' ', '_')},ADT45,{40 + k % 5}" for k, n in enumerate(TRAIN)],
            ),
            **sample("image_id,label", [f"{n}.jpg" for n in TEST], ""),
        },
        "multiclass",
        "label",
        3,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    "landmark: folders by the first letters": Miniature(
        lambda: {
            **pictures(f"train/{n[0]}/{n[1]}/{n[2]}/{n}.jpg" for n in TRAIN),
            **pictures(f"test/{n[0]}/{n[1]}/{n[2]}/{n}.jpg" for n in TEST),
            "train.csv": csv("id,landmark_id", [f"{n},{7000 + k % 3}" for k, n in enumerate(TRAIN)]),
            **sample("id,landmark_id", TEST, "7001"),
        },
        "multiclass",
        "label",
        3,
        (12, "a00"),
        (4, "b00"),
    ),
    "UBC-OCEAN: thumbnails beside": Miniature(
        lambda: {
            **pictures(f"{part}_images/{n}.png" for part, names in (("train", range(12)), ("test", range(20, 24))) for n in names),
            **pictures(
                f"{part}_thumbnails/{n}_thumbnail.png" for part, names in (("train", range(12)), ("test", range(20, 24))) for n in names
            ),
            "train.csv": csv(
                "image_id,label,image_width,image_height,is_tma",
                [f"{n},{['HGSC', 'LGSC', 'EC'][n % 3]},5,4,{n % 4 == 0}" for n in range(12)],
            ),
            "test.csv": csv("image_id,image_width,image_height", [f"{n},5,4" for n in range(20, 24)]),
            **sample("image_id,label", map(str, range(20, 24)), "HGSC"),
        },
        "multiclass",
        "label",
        3,
        (12, "0"),
        (4, "20"),
        note="only in train.csv and not used: 'is_tma'",
    ),
    "hotel-id-2021-fgvc8": Miniature(
        lambda: {
            **pictures(f"train_images/{k % 2}/{n}.jpg" for k, n in enumerate(TRAIN)),
            **pictures(f"test_images/{n}.jpg" for n in TEST),
            "train.csv": csv(
                "image,chain,hotel_id,timestamp", [f"{n}.jpg,{k % 2},{36000 + k % 6},2018-04-{k:02d}" for k, n in enumerate(TRAIN)]
            ),
            **sample("image,hotel_id", [f"{n}.jpg" for n in TEST], "36000 36001 36002 36003 36004"),
        },
        "multiclass",
        "ranked",
        6,
        (12, "a00.jpg"),
        (4, "b00.jpg"),
    ),
    "sorghum-id-fgvc-9": Miniature(
        lambda: {
            **pictures(f"train_images/{n}.png" for n in TRAIN),
            **pictures(f"test/{n}.png" for n in TEST),
            "train_cultivar_mapping.csv": csv("image,cultivar", [".DS_Store,", *(f"{n}.png,PI_{k % 3}" for k, n in enumerate(TRAIN))]),
            **sample("filename,cultivar", [f"{n}.png" for n in TEST], "PI_1"),
        },
        "multiclass",
        "label",
        3,
        (12, "a00.png"),
        (4, "b00.png"),
        note="1 rows of train_cultivar_mapping.csv",
    ),
    "intel-mobileodt-cervical-cancer-screening": Miniature(
        lambda: {
            **pictures(f"train/Type_{k}/{k * 10 + n}.jpg" for k in (1, 2, 3) for n in range(4)),
            **pictures(f"additional_Type_{k}_v2/Type_{k}/{k * 100 + n}.jpg" for k in (1, 2, 3) for n in range(3)),
            **pictures(f"test/{n}.jpg" for n in range(4)),
            "sample_submission.csv": csv("image_name,Type_1,Type_2,Type_3", [f"{n}.jpg,0.17,0.53,0.3" for n in range(4)]),
        },
        "multiclass",
        "probabilities",
        3,
        (12, "10"),
        (4, "0.jpg"),
    ),
    "the-nature-conservancy-fisheries-monitoring": Miniature(
        lambda: {
            **pictures(f"train/{k}/img_{ord(k[0])}{n}.jpg" for k in ("ALB", "BET", "NoF") for n in range(4)),
            **pictures(f"test_stg1/img_{n}.jpg" for n in range(4)),
            "sample_submission_stg1.csv": csv("image,ALB,BET,NoF", [f"img_{n}.jpg,0.45,0.05,0.5" for n in range(4)]),
        },
        "multiclass",
        "probabilities",
        3,
        (12, "img_650"),
        (4, "img_0.jpg"),
    ),
    "galaxy-zoo: a sample by another name": Miniature(
        lambda: {
            **pictures(f"images_training_rev1/{n}.jpg" for n in range(100, 112)),
            **pictures(f"images_test_rev1/{n}.jpg" for n in range(200, 204)),
            "training_solutions_rev1.csv": csv("GalaxyID,Class1.1", [f"{n},{n % 7 / 7:.3f}" for n in range(100, 112)]),
            "all_zeros_benchmark.csv": csv("GalaxyID,Class1.1", [f"{n},0" for n in range(200, 204)]),
            "all_ones_benchmark.csv": csv("GalaxyID,Class1.1", [f"{n},1" for n in range(200, 204)]),
        },
        "regression",
        "number",
        1,
        (12, "100"),
        (4, "200"),
    ),
    "right whales: most with few pictures": Miniature(
        lambda: {
            "imgs.zip": archive(pictures(f"imgs/w_{n}.jpg" for n in range(16))),
            "train.csv": csv("Image,whaleID", [f"w_{n}.jpg,whale_{n % 4:05d}" for n in range(12)]),
            "sample_submission.csv": csv(
                "Image," + ",".join(f"whale_{k:05d}" for k in range(4)), [f"w_{n}.jpg,0.25,0.25,0.25,0.25" for n in range(12, 16)]
            ),
        },
        "multiclass",
        "probabilities",
        4,
        (12, "w_0.jpg"),
        (4, "w_12.jpg"),
    ),
    "street view: capitals in endings": Miniature(
        lambda: {
            **{f"{part}/{n}.Bmp": picture(n, "BMP") for part, ns in (("train", range(1, 13)), ("test", range(13, 17))) for n in ns},
            "trainLabels.csv": csv("ID,Class", [f"{n},{'n8TI'[n % 4]}" for n in range(1, 13)]),
            **sample("ID,Class", map(str, range(13, 17)), "A", "sampleSubmission.csv"),
        },
        "multiclass",
        "label",
        4,
        (12, "1"),
        (4, "13"),
    ),
    "intel images: folders in folders of the same name": Miniature(
        lambda: (
            pictures(
                f"seg_{part}/seg_{part}/{kind}/{ord(kind[0])}{n}.jpg"
                for part, count in (("train", 4), ("test", 2))
                for kind in ("sea", "forest")
                for n in range(count)
            )
            | pictures(f"seg_pred/seg_pred/{n}.jpg" for n in range(5))
        ),
        "binary",
        "label",
        2,
        (8, "1020"),
        (4, "1020"),
    ),
    "numbers of images, whose names say more": Miniature(
        lambda: {
            **pictures(f"train/image_{n:03d}.jpg" for n in range(12)),
            **pictures(f"test/image_{n:03d}.jpg" for n in range(4)),
            "train.csv": csv("id,label", [f"{n},{label}" for n, label in enumerate(labels(12))]),
            "classes.csv": csv("id,name", [f"{n},{name}" for n, name in enumerate(SPECIES)]),
            **sample("id,label", map(str, range(4)), SPECIES[0]),
        },
        *("multiclass", "label", 3, (12, "0"), (4, "0")),
        note="train.csv: 'id' numbers the images: '0' is train/image_000.jpg",
    ),
    "numbers of rows, whose images a table names": Miniature(
        lambda: {
            **pictures(f"train/image ({n}).jpg" for n in range(12)),
            **pictures(f"test/image ({n}).jpg" for n in range(4)),
            "train.csv": csv("id,file,label", [f"{n},image ({11 - n}).jpg,{label}" for n, label in enumerate(labels(12))]),
            "test.csv": csv("id,file", [f"{n},image ({3 - n}).jpg" for n in range(4)]),
            **sample("id,label", map(str, range(4)), SPECIES[0]),
        },
        *("multiclass", "label", 3, (12, "image (11).jpg"), (4, "0")),
    ),
}
