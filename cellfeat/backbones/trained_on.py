"""What a network was trained on, by the name of its weights.

A network that has seen the images that it is to embed, or images of the same cells, can score higher than it will on
images that nobody has seen. So `cellfeat inspect` and the card of a saved head say what it was trained on.
"""

UNKNOWN = "unknown"
IMAGENET = "ImageNet-1k (photographs of everyday objects)"

_BY_MARK = {
    "swag": "Instagram photographs by their hashtags (SWAG), then ImageNet-1k",
    "lvd142m": "LVD-142M (142 million photographs chosen from the web; DINOv2, without labels)",
    "lvd1689m": "LVD-1689M (1.7 billion images from the web; DINOv3, without labels)",
    "sat493m": "SAT-493M (satellite images; DINOv3, without labels)",
    "laion2b": "LAION-2B (images and captions from the web)",
    "laion400m": "LAION-400M (images and captions from the web)",
    "laion": "LAION (images and captions from the web)",
    "dfn2b": "DFN-2B (images and captions from the web)",
    "dfn5b": "DFN-5B (images and captions from the web)",
    "datacompxl": "DataComp-1B (images and captions from the web)",
    "metaclip": "MetaCLIP (images and captions from the web)",
    "openai": "WIT-400M (images and captions from the web; CLIP of OpenAI)",
    "webli": "WebLI (images and captions from the web)",
    "yfcc100m": "YFCC-100M (photographs)",
    "ig1b": "a billion Instagram photographs by their hashtags",
    "sa1b": "SA-1B (photographs with masks; Segment Anything)",
    "jft": "JFT-300M (photographs)",
    "in22k": "ImageNet-22k (photographs)",
    "in21k": "ImageNet-21k (photographs)",
    "in12k": "ImageNet-12k (photographs)",
    "in1k": IMAGENET,
    "imagenet1k": IMAGENET,
    "efficientnet-lite": IMAGENET,
}
"""Training images by a mark in the name of the weights. Where a name has several, the first here was the larger set.

Names of torchvision (``IMAGENET1K_SWAG_E2E_V1``), and tags of timm (``lvd142m``, ``augreg_in21k_ft_in1k``).
"""

_FILES = (".pth", ".pt", ".bin", ".safetensors")


def trained_on(weights: str) -> str:
    """Say what published weights were trained on.

    Parameters
    ----------
    weights
        Their name as a feature file records it: ``IMAGENET1K_V1``, ``vit_small_patch14_dinov2.lvd142m``.

    Returns
    -------
    str
        A few words; ``unknown`` for weights of a file, random ones, and names that this version does not know.

    Examples
    --------
    >>> trained_on("vit_base_patch16_224.augreg_in21k_ft_in1k")
    'ImageNet-21k (photographs), then ImageNet-1k'
    """
    # timm separates the architecture, whose name may hold any word, from the tag by a dot.
    _, dot, tag = weights.lower().rpartition(".")
    if weights.endswith(_FILES) or (weights.startswith("timm:") and not dot):
        return UNKNOWN
    first = next((text for mark, text in _BY_MARK.items() if mark in tag), UNKNOWN)
    return f"{first}, then ImageNet-1k" if "ft_in1k" in tag and first != IMAGENET else first


def contamination_note(name: str, seen: str) -> str:
    """The line that warns of a network that may have seen the cells that it embeds.

    Parameters
    ----------
    name
        The network.
    seen
        Microscopy images that it was trained on, from its entry.
    """
    return (
        f"note: {name} was trained on {seen}. If your images are from there, it may have seen these very cells, and "
        f"its scores may be higher than on images of your own; compare with a network of photographs"
    )
