"""What known competitions are scored by, under their names on Kaggle: the one thing that their data do not tell."""

METRIC_OF: dict[str, str] = {
    "aerial-cactus-identification": "roc_auc",
    "aptos2019-blindness-detection": "qwk",
    "cassava-leaf-disease-classification": "accuracy",
    "dog-breed-identification": "log_loss",
    "dogs-vs-cats-redux-kernels-edition": "log_loss",
    "herbarium-2022-fgvc9": "f1_macro",
    "imet-2020-fgvc7": "f1_micro",
    "leaf-classification": "log_loss",
    "petfinder-pawpularity-score": "rmse",
    "plant-pathology-2020-fgvc7": "roc_auc",
    "plant-pathology-2021-fgvc8": "f1_micro",
    "plant-seedlings-classification": "f1_micro",
    "ranzcr-clip-catheter-line-classification": "roc_auc",
    "siim-isic-melanoma-classification": "roc_auc",
    "whale-categorization-playground": "map5",
}
