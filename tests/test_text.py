import pytest

from cellfeat.text import clean_text, first_ten, is_url, near_names


def test_clean_text_keeps_the_letters_of_all_scripts():
    assert clean_text("Zelle µ 細胞 A-549") == "Zelle µ 細胞 A-549"
    assert clean_text("a\nb\x9bc\u200bd") == r"a\nb\x9bc\u200bd"


def test_short_names_are_shown_ten_at_a_time():
    assert first_ten(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 … and 2 more"
    assert first_ten(["a"]) == "a"


def test_walls_of_long_names_are_shortened():
    names = [f"/data/project/{'deep/' * 40}well_{number}.tif" for number in range(500)]
    text = first_ten(names)
    assert len(text) < 500
    assert text.startswith("/data/project/deep")
    assert "well_0.tif" in text  # the end of a path says which file it is
    assert text.endswith("more")
    columns = [f"Cells_Texture_Correlation_DNA_{number}" for number in range(800)]
    assert len(near_names("label", columns)) < 600
    assert "did you mean 'Cells_Texture_Correlation_DNA_17'" in near_names("Cells_Texture_Correlation_DNA_17_", columns)


@pytest.mark.parametrize("text", ["s3://bucket/a.h5", "s3:/bucket/a.h5", "https://host/a", "file:///a", "gs://b"])
def test_addresses_are_recognised(text):
    assert is_url(text)


@pytest.mark.parametrize("text", ["/data/a", "a/b", "C:\\data", "C:/data", "a:b", "12:30/x", "./s3:/a"])
def test_paths_are_no_addresses(text):
    assert not is_url(text)
