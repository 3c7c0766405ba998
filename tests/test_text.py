from cellfeat.text import clean_text


def test_clean_text_keeps_the_letters_of_all_scripts():
    assert clean_text("Zelle µ 細胞 A-549") == "Zelle µ 細胞 A-549"
    assert clean_text("a\nb\x9bc\u200bd") == r"a\nb\x9bc\u200bd"
