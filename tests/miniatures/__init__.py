"""Miniatures of real image competitions, as Kaggle gives them: each works as it is."""

from tests.miniatures.asked import ASKED_FOR
from tests.miniatures.by_name import BY_NAME
from tests.miniatures.forms import FORMS
from tests.miniatures.making import Miniature
from tests.miniatures.spellings import SPELLINGS

MINIATURES: dict[str, Miniature] = {**FORMS, **SPELLINGS, **ASKED_FOR, **BY_NAME}
