"""The data sets beside the two main ones: what each reader makes of good files, and says of bad ones."""

import copy
import json
import zipfile

import numpy as np
import pytest

from recsys.data import (DataError, Impressions, card, catalogue, downloads, entry, fetch, fetching, load, load_choices, load_impressions,
                         load_static_embeddings, load_texts, read_mind, where)
from recsys.data.cache import keep
from recsys.data.parse import READERS, Parsed, content_hash, parse

INTERACTIONS = ["amazon-beauty", "amazon-sports", "dkn-news", "tafeng-realitycheck"]
AMAZON = {"X.txt": b"7 3 1 3\n2 1 9\n", "X_item2attributes.json": b'{"1": [4, 2], "3": [], "9": [1], "5": [1]}'}
DKN = {"raw_train.txt": b"9\tcat sat\t1\t5:Cat\r\n4\tdog ran\t0\t6:Dog\r\n9\tcat sat\t0\t5:Cat\r\n",
       "raw_test.txt": b"4\tcat sat\t1\t5:Cat\n"}
BASKETS = {"tafeng_history.json": b'{"5": [[-1], [2, 0], [2], [-1]], "3": [[-1], [4], [-1]]}',
           "tafeng_future.json": b'{"5": [[-1], [7], [-1]], "3": [[-1], [0, 4], [-1]]}'}
MIND = {"news.tsv": b'N2\tnews\tworld\tThe "cat" sat\tIt did\thttp://a\t[]\t[]\nN10\tsports\tgolf\tPGA\t\thttp://b\t[]\t[]\n'
                    b"N3\tnews\tworld\tDog ran\tAway\thttp://c\t[]\t[]\n",
        "behaviors.tsv": b"1\tU9\t11/11/2019 9:05:58 AM\tN3 N2\tN10-1 N2-0\r\n2\tU1\t11/12/2019 12:00:01 PM\t\tN3-0\r\n"
                         b"3\tU9\t11/12/2019 12:00:01 AM\tN3 N2\tN2-0 N10-0 N3-1\r\n"}


def here(name):
    """Skip unless the data set can be had without asking an official site."""
    wheel = any(place.kind == "wheel" for place in entry(name).places)
    if not wheel and not any(fetching._files_in(entry(name), place) for place in fetching._local_directories(entry(name))):
        pytest.skip(f"{name} is neither in the cache nor in a mirror (RECSYS_DATA_MIRROR)")


def loaded(name):
    here(name)
    return load(name)


def read(form, files):
    made = READERS[form](files)
    return Parsed(*made) if isinstance(made, tuple) else made


# What the catalogue says is what the data holds

@pytest.mark.parametrize("name", INTERACTIONS)
def test_counts_of_the_catalogue_are_those_of_the_data(name):
    dataset = loaded(name)
    data, counts = dataset.interactions, entry(name).counts
    assert (len(data), data.n_users, data.n_items) == (counts["rows"], counts["users"], counts["items"])
    assert (dataset.users.index == data.user_ids).all() and (dataset.items.index == data.item_ids).all()
    assert dataset.rows is None or len(dataset.rows) == len(data)
    assert data.time_unit == "step"


@pytest.mark.parametrize("name", catalogue())
def test_every_card_names_its_loader_its_places_and_its_limits(name):
    wanted, text = entry(name), card(name)
    assert f'{wanted.loader}("{name}")' in text and all(limit in text for limit in wanted.cannot_show)
    assert all((place.url or place.sha256) in text for place in wanted.places)
    assert ("skipped" in text) == wanted.optional and ("not known" in text) == (wanted.content is None)


@pytest.mark.parametrize("name", ["amazon-beauty", "amazon-sports"])
def test_amazon_users_and_items_have_five_reviews_and_steps_count_a_users_line(name):
    data = loaded(name).interactions
    assert np.bincount(data.users).min() >= 5 and np.bincount(data.items).min() >= 5
    order = data.by_time()
    assert (order == np.arange(len(data))).all() and (data.ages() + data.times == np.bincount(data.users)[data.users] - 1).all()
    assert (data.values == 1).all()


def test_what_the_card_of_the_headlines_says_is_counted():
    news = loaded("dkn-news")
    data, test = news.interactions, (news.rows["file"] == "test").to_numpy()
    assert ((~test).sum(), test.sum()) == (10_401, 462)

    def both(rows):
        labels = np.stack([data.select(rows & (data.values == label)).seen().toarray() for label in (0, 1)])
        return labels.all(axis=0)

    everything = np.ones(len(data), bool)
    repeated = (data.matrix() > 1).nnz
    assert (both(everything).sum(), both(~test).sum(), repeated) == (133, 131, 162)
    users = [np.unique(data.users[test & (data.values == label)]) for label in (0, 1)]
    assert len(np.union1d(*users)) == 138 and len(np.intersect1d(*users)) == 59
    several = news.rows.groupby(data.items)["entities"].nunique()
    assert (several > 1).sum() == 7
    text = card("dkn-news")
    assert all(said in text for said in ("133 pairs", "131 of them", "162 pairs", "138 users", "only 59", "7 headlines", "10,401 and 462"))


def test_the_last_reality_check_basket_is_the_future_one():
    shop = loaded("tafeng-realitycheck")
    data, baskets = shop.interactions, shop.baskets()
    n_baskets = np.bincount(baskets.users)
    assert (n_baskets.min(), n_baskets.max()) == (3, 51) and "2 to 50" in card("tafeng-realitycheck")
    newest = np.append(baskets.users[1:] != baskets.users[:-1], True)
    assert (shop.rows["file"] == "future").sum() == np.diff(baskets.starts)[newest].sum()
    assert len(baskets.items) == len(data), "no product comes twice in a basket"


def test_what_the_card_of_the_lee_corpus_says_is_counted():
    table = load_texts("lee-news").table
    assert table["file"].value_counts(sort=False).to_dict() == {"background": 300, "judged": 50}
    assert table["text"].nunique() == 343 and table["text"][table["file"] == "background"].nunique() == 293
    words = table["headline"].str.split().str.len()
    assert round(words.mean()) == 24 and words.min() == 10, "an initial, as in U.N., ends no sentence"
    assert all(text.startswith(headline) for headline, text in zip(table["headline"], table["text"], strict=True))
    assert "£" in "".join(table["text"]), "latin-1, not utf-8 with the rest thrown away"


def test_text_vectors_give_the_similarities_that_wordllama_publishes():
    """"Calculating Similarity" and "Ranking Documents" on the package's page of release 0.2.0."""
    pytest.importorskip("tokenizers")
    embeddings = load_static_embeddings()
    assert embeddings.matrix.shape == (32_000, 256) and embeddings.matrix.dtype == np.float32
    texts = [f"i went to the {place}" for place in ("car", "pawn shop", "park", "shop", "truck", "vehicle")]
    vectors = embeddings.vectors([*texts, "", "  "])
    assert (vectors[6:] == 0).all() and vectors.shape == (8, 256)
    unit = vectors[:6] / np.linalg.norm(vectors[:6], axis=1, keepdims=True)
    published = [0.06641249096796882, 0.15101404519322253, 0.19732814982305436, 0.2832691551894259, 0.7441646856486314]
    assert np.allclose(unit[1:] @ unit[0], published, atol=1e-6)


def test_a_tokens_vector_is_its_row_and_no_mark_of_the_start_is_added():
    pytest.importorskip("tokenizers")
    embeddings = load_static_embeddings()
    [token] = embeddings.tokenizer().encode("cat", add_special_tokens=False).ids
    assert (embeddings.vectors(["cat"])[0] == embeddings.matrix[token]).all()
    with pytest.raises(ValueError, match="read-only"):
        embeddings.matrix[0] = 0
    with pytest.raises(ValueError, match="expected a list of texts, got one string"):
        embeddings.vectors("cat")


@pytest.mark.parametrize("name", ["lee-news", "wordllama"])
def test_the_wheels_really_give_the_texts_and_the_vectors(name):
    wanted = entry(name)
    [wheel] = wanted.places
    assert content_hash(parse(wanted, downloads.download(wanted, wheel))) == wanted.content


# What the readers make of small files

def test_amazon_lines_become_rows_in_order_with_categories():
    data, users, items, _, _ = READERS["s3rec"](AMAZON)
    assert data.user_ids.tolist() == [2, 7] and data.item_ids.tolist() == [1, 3, 9]
    assert data.users.tolist() == [1, 1, 1, 0, 0] and data.items.tolist() == [1, 0, 1, 0, 2]
    assert data.times.tolist() == [0, 1, 2, 0, 1]
    assert items["categories"].tolist() == [(4, 2), (), (1,)] and len(users) == 2


def test_headlines_are_items_and_every_row_stays():
    parsed = read("dkn", DKN)
    data = parsed.interactions
    assert parsed.items["headline"].tolist() == ["cat sat", "dog ran"]
    assert data.user_ids[data.users].tolist() == [9, 4, 9, 4] and data.items.tolist() == [0, 1, 0, 0]
    assert data.values.tolist() == [1, 0, 0, 1] and data.times.tolist() == [0, 1, 2, 3]
    assert parsed.rows["file"].tolist() == ["train"] * 3 + ["test"] and parsed.rows["entities"][1] == "6:Dog"


def test_reality_check_baskets_are_numbered_and_the_last_is_apart():
    parsed = read("jsondata", BASKETS)
    data = parsed.interactions
    assert data.user_ids[data.users].tolist() == [5, 5, 5, 5, 3, 3, 3]
    assert data.item_ids[data.items].tolist() == [2, 0, 2, 7, 4, 0, 4]
    assert data.times.tolist() == [0, 0, 1, 2, 0, 1, 1]
    assert parsed.rows["file"].tolist() == ["history"] * 3 + ["future", "history", "future", "future"]


def test_documents_lose_runs_of_spaces_and_keep_their_order():
    files = {"lee_background.cor": "  One  two. Three\u00a3! \n".encode("latin-1"), "lee.cor": b"The U.N. met. It left.\nNo end"}
    table = read("gensim", files).table
    assert table["text"].tolist() == ["One two. Three\u00a3!", "The U.N. met. It left.", "No end"]
    assert table["headline"].tolist() == ["One two.", "The U.N. met.", "No end"]
    assert table["file"].tolist() == ["background", "judged", "judged"]


def test_mind_lines_become_impressions_histories_and_articles():
    log = read("mind", MIND)
    shown, before = log.impressions, log.histories
    assert shown.item_ids.tolist() == ["N10", "N2", "N3"] and shown.user_ids.tolist() == ["U1", "U9"]
    assert shown.users.tolist() == [1, 0, 1] and [row[0].tolist() for row in map(shown.shown, range(3))] == [[0, 1], [2], [1, 0, 2]]
    assert [row[1].tolist() for row in map(shown.shown, range(3))] == [[True, False], [False], [False, False, True]]
    assert (shown.times.astype("datetime64[s]") == np.array(
        ["2019-11-11T09:05:58", "2019-11-12T12:00:01", "2019-11-12T00:00:01"], "datetime64[s]")).all()
    assert before.n_users == len(shown) == 3 and before.users.tolist() == [0, 0, 2, 2], "an empty history stays a row"
    assert before.items.tolist() == [2, 1, 2, 1] and before.times.tolist() == [0, 1, 0, 1]
    assert log.items.loc["N2", "title"] == 'The "cat" sat' and log.items.loc["N10", "abstract"] == ""
    assert len(log) == 6


def test_mind_is_read_from_a_directory_and_from_an_archive(tmp_path):
    (tmp_path / "MINDsmall_train").mkdir()
    with zipfile.ZipFile(tmp_path / "part.zip", "w") as archive:
        for name, content in MIND.items():
            (tmp_path / "MINDsmall_train" / name).write_bytes(content)
            archive.writestr(f"MINDsmall_train/{name}", content)
    expected = content_hash(read("mind", MIND))
    assert content_hash(read_mind(tmp_path)) == content_hash(read_mind(tmp_path / "part.zip")) == expected
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "news.tsv").write_bytes(MIND["news.tsv"])
    with pytest.raises(FileNotFoundError, match="one news.tsv, got 2; give the path of one part"):
        read_mind(tmp_path)
    with pytest.raises(FileNotFoundError, match="one behaviors.tsv, got 0"):
        read_mind(tmp_path / "dev")
    with pytest.raises(FileNotFoundError, match="expected a directory or a zip archive"):
        read_mind(tmp_path / "nowhere")


def test_mind_put_by_hand_is_loaded_and_without_it_the_message_says_where_to_put_it(alone):
    with pytest.raises(DataError, match="(?s)official page https://msnews.github.io/: its terms.*put behaviors.tsv, news.tsv from it into .*mind-small-dev"):
        load_impressions("mind-small-dev")
    put(alone / "mind-small-dev", MIND)
    assert len(load_impressions("mind-small-dev")) == 6
    assert not where("mind-small-dev")[0].problem
    assert "never asked" in where("mind-small-dev")[-1].problem


def test_impressions_name_what_is_wrong():
    good = dict(users=[0], times=[1], starts=[0, 2], items=[0, 1], clicked=[True, False], user_ids=["a"], item_ids=["x", "y"])
    assert len(Impressions(**good)) == 1
    for change, said in (({"items": [0.9, 1]}, "items, row 0: expected an integer index, got 0.9"),
                         ({"clicked": [0.2, 1]}, "clicked, row 0: expected True or False, got 0.2"),
                         ({"users": [np.nan]}, "users, row 0: expected an integer index, got nan"),
                         ({"items": [0, 2]}, r"items\[1\]: expected an index from 0 to 1, got 2"),
                         ({"users": [1]}, r"users\[0\]: expected an index from 0 to 0, got 1"),
                         ({"users": [0, 0], "times": [1, 2], "starts": [0, 0, 2]}, "each of Impressions shows something"),
                         ({"starts": [0, 0]}, "each of Impressions shows something"), ({"starts": [0, 1]}, "each of Impressions shows something"),
                         ({"times": [2**63]}, "times, row 0: expected an integer time of at most"),
                         ({"times": np.array(["NaT"], "M8[s]")}, "times, row 0: expected a time, got NaT"),
                         ({"item_ids": ["y", "x"]}, "item_ids, position 1: expected distinct ids in rising order"),
                         ({"user_ids": ["a", "a"]}, "user_ids, position 1: expected distinct ids in rising order"),
                         ({"clicked": np.ma.array([1, 0], mask=[0, 1])}, "clicked, row 1: .*a masked entry"),
                         ({"clicked": [True]}, "of one length"), ({"times": []}, "of one length")):
        with pytest.raises(DataError, match=said):
            Impressions(**good | change)
    for table in (Impressions(**good), copy.deepcopy(Impressions(**good))):
        with pytest.raises(ValueError, match="read-only"):
            table.clicked[0] = False


# What is said of bad files

BAD = [
    ("s3rec", AMAZON, "X.txt", b"2 1 9", b"2 x1 9", r"X.txt, row 2: expected an integer item id, got 'x1'"),
    ("s3rec", AMAZON, "X.txt", b"2 1 9", b"2 -1 9", r"X.txt, row 2: expected an integer item id, got '-1'"),
    ("s3rec", AMAZON, "X.txt", b"2 1 9", b"b 1 9", r"X.txt, row 2: expected an integer user id, got 'b'"),
    ("s3rec", AMAZON, "X.txt", b"2 1 9", b"2", r"X.txt, row 2: expected a user and at least one item, got \['2'\]"),
    ("s3rec", AMAZON, "X.txt", b"2 1 9", b"7 1 9", r"X.txt, row 2: user 7 has a line already"),
    ("s3rec", AMAZON, "X.txt", b"2 1 9", b"2 1 9\xff", r"X.txt, row 2: expected text in utf-8, got the byte 0xff"),
    ("s3rec", AMAZON, "X_item2attributes.json", b'"9": [1], ', b"", r"expected a list of category numbers for item 9, got None"),
    ("s3rec", AMAZON, "X_item2attributes.json", b"[4, 2]", b"[4, 2.5]", r"category numbers for item 1, got \[4, 2.5\]"),
    ("s3rec", AMAZON, "X_item2attributes.json", b", \"5\": [1]}", b"", r"X_item2attributes.json: expected JSON.*cut short"),
    ("dkn", DKN, "raw_train.txt", b"\t0\t6:Dog", b"\t2\t6:Dog", r"raw_train.txt, row 2: expected a label, 0 or 1, got '2'"),
    ("dkn", DKN, "raw_train.txt", b"\t6:Dog", b"", r"raw_train.txt, row 2: expected 4 fields, got 3.*cut short"),
    ("dkn", DKN, "raw_test.txt", b"4\t", b"four\t", r"raw_test.txt, row 1: expected an integer user id, got 'four'"),
    ("dkn", DKN, "raw_test.txt", b"cat sat", b" ", r"raw_test.txt, row 1: expected a headline, got ' '"),
    ("jsondata", BASKETS, "tafeng_history.json", b"[2], [-1]]", b"[2]]", r"tafeng_history.json, user 5: expected baskets between two marks"),
    ("jsondata", BASKETS, "tafeng_history.json", b"[2], ", b"[], ", r"tafeng_history.json, user 5: expected a list of item numbers as basket 2, got \[\]"),
    ("jsondata", BASKETS, "tafeng_history.json", b"[2], ", b"[-2], ", r"user 5: expected a list of item numbers as basket 2, got \[-2\]"),
    ("jsondata", BASKETS, "tafeng_future.json", b"[7], ", b"[7], [8], ", r"tafeng_future.json, user 5: expected one basket, got 2"),
    ("jsondata", BASKETS, "tafeng_future.json", b'"3"', b'"4"', r"tafeng_future.json: expected a basket for user 3"),
    ("jsondata", BASKETS, "tafeng_future.json", b'{"5"', b'{"8": [[-1], [1], [-1]], "5"', r"tafeng_future.json: user 8 has no history"),
    ("jsondata", BASKETS, "tafeng_future.json", b"{", b"[", r"tafeng_future.json: expected JSON"),
    ("gensim", {"lee_background.cor": b"One.\n \nTwo.\n", "lee.cor": b"Three."}, "lee.cor", b"", b"",
     r"lee_background.cor, row 2: expected a document, got an empty line"),
    ("mind", MIND, "behaviors.tsv", b"N10-1", b"N10-2", r"behaviors.tsv, row 1: expected articles as ID-1 or ID-0, got 'N10-2'"),
    ("mind", MIND, "behaviors.tsv", b"N10-1", b"N11-1", r"behaviors.tsv, row 1: article 'N11' is not in news.tsv"),
    ("mind", MIND, "behaviors.tsv", b"N3 N2\tN2", b"N3 N7\tN2", r"behaviors.tsv, row 3: article 'N7' is not in news.tsv"),
    ("mind", MIND, "behaviors.tsv", b"\tN3-0", b"\t", r"behaviors.tsv, row 2: expected at least one article shown"),
    ("mind", MIND, "behaviors.tsv", b"11/12/2019 12:00:01 PM", b"13/12/2019 12:00:01 PM", r"behaviors.tsv, row 2: expected a time as month/day/year"),
    ("mind", MIND, "behaviors.tsv", b"1\tU9\t11/11", b"U9\t11/11", r"behaviors.tsv, row 1: expected 5 fields, got 4"),
    ("mind", MIND, "news.tsv", b"N10\t", b"N2\t", r"news.tsv, row 2: article N2 has a row already"),
    ("mind", MIND, "news.tsv", b"\thttp://a\t[]\t[]", b"\thttp://a", r"news.tsv, row 1: expected 8 fields, got 6"),
]


@pytest.mark.parametrize("form, files, file, old, new, message", BAD)
def test_a_bad_row_is_named_with_its_file_and_the_mend(form, files, file, old, new, message):
    with pytest.raises(DataError, match=message) as caught:
        READERS[form](files | {file: files[file].replace(old, new, 1)})
    assert "mend:" in str(caught.value)


def test_a_damaged_matrix_or_another_tokenizer_is_named():
    from safetensors.numpy import save

    from recsys.data.sources.wordllama import MATRIX, TOKENIZER, read_wheel

    two = json.dumps({"model": {"vocab": {"a": 0, "b": 1}}}).encode()
    good = {MATRIX: save({"embedding.weight": np.ones((2, 3), np.float16)}), TOKENIZER: two}
    assert read_wheel(good).matrix.dtype == np.float32
    for change, said in (({MATRIX: good[MATRIX][:-1]}, "expected a tensor embedding.weight"),
                         ({MATRIX: save({"other": np.ones((2, 3))})}, "expected a tensor embedding.weight"),
                         ({MATRIX: save({"embedding.weight": np.ones((3, 3))})}, r"the 2 tokens in .* got shape \(3, 3\)"),
                         ({MATRIX: save({"embedding.weight": np.array([[1.0], [np.nan]])})}, "finite numbers in row 1"),
                         ({TOKENIZER: two[:-1]}, "expected JSON")):
        with pytest.raises(DataError, match=said):
            read_wheel(good | change)


@pytest.mark.parametrize("name, file, old, new", [
    ("amazon-beauty", "Beauty.txt", b"\n2 6 7 ", b"\n2 7 6 "),
    ("amazon-beauty", "Beauty_item2attributes.json", b'"4": [1, 2, 3]', b'"4": [1, 3, 2]'),
    ("dkn-news", "raw_test.txt", b"van plows", b"vans plow"),
    ("dkn-news", "raw_test.txt", b"33014:", b"33015:"),
    ("tafeng-realitycheck", "tafeng_future.json", b"[1144, 3374,", b"[3374, 1144,"),
    ("lee-news", "lee.cor", b"Greig", b"Grieg"),
    ("wordllama", "tokenizers/l2_supercat_tokenizer_config.json", b'"fuse_unk": true', b'"fuse_unk": false'),
])
def test_one_altered_value_or_word_is_refused_and_the_original_kept(name, file, old, new):
    here(name)
    wanted = entry(name)
    fetching.read(name)
    directory = next(d for d in fetching._local_directories(wanted) if fetching._files_in(wanted, d))
    files = fetching._files_in(wanted, directory)
    assert files[file].count(old) >= 1
    assert content_hash(parse(wanted, files)) == wanted.content
    with pytest.raises(DataError, match=f"content is not that of {name}"):
        parse(wanted, files | {file: files[file].replace(old, new, 1)})


@pytest.mark.parametrize("form, files, short", [("s3rec", AMAZON, "amazon-beauty"), ("dkn", DKN, "dkn-news")])
def test_too_few_rows_are_counted_before_the_hash(form, files, short):
    wanted = entry(short)
    names = dict(zip(sorted(files), sorted(wanted.forms[form]), strict=True))
    with pytest.raises(DataError, match=r"expected [\d,]+ rows, got [45].*cut short"):
        parse(wanted, {names[name]: content for name, content in files.items()})


def test_line_ends_and_a_byte_order_mark_change_nothing():
    for form, files in (("s3rec", AMAZON), ("dkn", DKN), ("mind", MIND)):
        unix = {name: content.replace(b"\r\n", b"\n") for name, content in files.items()}
        windows = {name: content if name.endswith("json") else b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")
                   for name, content in unix.items()}
        assert content_hash(read(form, unix)) == content_hash(read(form, windows))


# What happens where a set can't be had, or is asked for in the wrong way

def put(directory, files):
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """An empty cache, no mirror, and no network."""
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECSYS_DATA_MIRROR", raising=False)

    def refuse(place, directory):
        raise OSError("no road out")

    monkeypatch.setattr(downloads, "_get_official", refuse)
    monkeypatch.setattr(downloads, "_get_wheel", refuse)
    return tmp_path / "cache"


LOADERS = {"load": load, "load_texts": load_texts, "load_static_embeddings": load_static_embeddings,
           "load_choices": load_choices, "load_impressions": load_impressions}


@pytest.mark.parametrize("name", catalogue())
def test_where_no_place_answers_each_is_named_with_a_mend_that_fits(alone, name):
    wanted = entry(name)
    with pytest.raises(DataError) as caught:
        LOADERS[wanted.loader](name)
    text = str(caught.value)
    assert f"{name} could not be had" in text and "RECSYS_DATA_MIRROR" in text
    assert all(str(place) in text for place in wanted.places)
    assert ("Python package index" in text) == any(place.kind == "wheel" for place in wanted.places)
    assert ("in a browser" in text) == any(place.kind != "wheel" for place in wanted.places)


@pytest.mark.parametrize("name", catalogue())
def test_a_set_of_another_kind_names_its_own_loader(name):
    for loader, function in LOADERS.items():
        if loader != entry(name).loader:
            with pytest.raises(DataError, match=f'{name} is of another kind: load it with {entry(name).loader}'):
                function(name)


def test_files_in_folders_are_kept_and_found_again(alone):
    wanted = entry("wordllama")
    names = wanted.forms["wordllama"]
    keep(wanted, {name: b"x" for name in names})
    assert fetching._files_in(wanted, alone / "wordllama") == {name: b"x" for name in names}


def test_what_chapters_cannot_do_without_has_a_wheel():
    assert all(any(place.kind == "wheel" for place in wanted.places) for wanted in catalogue().values() if not wanted.optional)


@pytest.mark.parametrize("name", INTERACTIONS)
def test_an_official_archive_from_the_repository_gives_the_data(name, monkeypatch, tmp_path):
    """The road that could not be tried here, walked with an archive laid out as the repository's."""
    here(name)
    wanted = entry(name)
    [place] = wanted.places
    directory = next(d for d in fetching._local_directories(wanted) if fetching._files_in(wanted, d))
    with zipfile.ZipFile(tmp_path / "master.zip", "w") as archive:
        for file, content in fetching._files_in(wanted, directory).items():
            archive.writestr(place.folder + file, content)
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECSYS_DATA_MIRROR", raising=False)
    monkeypatch.setattr(downloads, "_get_official", lambda place, directory: tmp_path / "master.zip")
    assert fetch(name) == tmp_path / "cache" / name and len(load(name).interactions) == wanted.counts["rows"]
