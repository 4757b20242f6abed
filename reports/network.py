"""What was made with the network itself: augmented images as it sees them, and what its first layer looks for."""

from reports.blocks import Block, Photo, Photos
from reports.evidence import Evidence
from reports.pictures import enlarged, jpeg_uri, png_uri

MOST_SEEN = 32
MOST_FILTERS = 64
FILTER_SIDE = 48


def seen(evidence: Evidence) -> list[Block]:
    """Training images of one fold, after augmentation and mixing."""
    for fold, exhibits in evidence.exhibits.items():
        if len(exhibits.seen):
            photos = [
                Photo(
                    jpeg_uri(enlarged(image)),
                    f"an augmented training image of {label}" if label else "an augmented training image",
                    (label,),
                )
                for image, label in list(zip(exhibits.seen, exhibits.labels, strict=False))[:MOST_SEEN]
            ]
            return [Photos(f"Training images of fold {fold} as the network sees them, augmented", photos)]
    return []


def filters(evidence: Evidence) -> list[Block]:
    """The first layer's weights of one fold, each scaled by itself."""
    for fold, exhibits in evidence.exhibits.items():
        if len(exhibits.filters):
            first = exhibits.filters[:MOST_FILTERS]
            photos = [Photo(png_uri(enlarged(one, FILTER_SIDE)), f"filter {place}") for place, one in enumerate(first)]
            part = f", {len(first)} of {len(exhibits.filters):,}" if len(first) < len(exhibits.filters) else ""
            return [Photos(f"The first layer of fold {fold}{part}", photos, "Each is scaled to its own darkest and brightest.", small=True)]
    return []
