"""Writes words and token ids of interesting texts, as OpenAI's own tokenizer gives them.

    python make_tokens.py CLIP BPE OUT [--random N]

CLIP is a checkout of github.com/openai/CLIP (tokens.json: commit d05afc4), BPE its bpe_simple_vocab_16e6.txt.gz.
Needs ftfy (tokens.json: 6.3.1) and regex. ftfy repairs all but wrongly decoded text, which ovbench leaves as it is.
"""
import argparse
import html.entities
import json
import random
import sys
import unicodedata

parser = argparse.ArgumentParser()
parser.add_argument("clip")
parser.add_argument("bpe")
parser.add_argument("out")
parser.add_argument("--random", type=int, default=0, help="that many more texts of random characters")
args = parser.parse_args()

sys.path.insert(0, args.clip + "/clip")
import simple_tokenizer

fix_text = simple_tokenizer.ftfy.fix_text
simple_tokenizer.ftfy.fix_text = lambda s: fix_text(s, fix_encoding=False)
tokenizer = simple_tokenizer.SimpleTokenizer(args.bpe)


def words(text):
    """What encode does before it looks at the vocabulary."""
    text = simple_tokenizer.whitespace_clean(simple_tokenizer.basic_clean(text)).lower()
    return tokenizer.pat.findall(text)


# Texts of one kind on a line, apart by a broken bar.
kinds = [
    "",
    "a photo of a cat¦a photo of the hard to see potted plant.¦itap of a tv/monitor.¦there is a tvmonitor in the scene.",
    "a jpeg corrupted photo of a traffic light.¦graffiti of the fire hydrant.¦playingfield¦windowpane-other¦wall-brick",
    "Aeroplane, BICYCLE & Bird¦a {} in a video game.¦x-ray¦T-shirt¦U.S.A.¦e.g. this¦3.14159¦2024-11-23¦10:45pm¦1,000,000",
    "C++¦C#¦node.js¦foo_bar¦__init__¦a_b_c¦@user¦#hashtag¦$100¦50%¦(parenthesis)¦[bracket]¦{brace}¦\"quoted\"¦'quoted'¦`code`",
    "a\\b¦~/.cache¦https://example.org/?a=1&b=2¦mail@example.org¦:-)¦...¦!!!¦?!¦---¦– —¦“curly” ‘quotes’ dog’s¦«guillemets»",
    "don't¦DON'T¦it's¦we're¦we've¦I'm¦they'll¦he'd¦she'sx¦'sing¦''s¦!'s¦'S¦'ſ¦'Re¦'LL x¦rock'n'roll¦'tis¦o'clock¦'",
    "<|startoftext|>¦<|endoftext|>¦a<|endoftext|>b¦a <|endoftext|> b¦<|STARTOFTEXT|>¦<|ſtartoftext|>¦<|ſtartoftext|>s¦<|endoftext|> <|endoftext|>¦!<|endoftext|>¦<|endoftext|¦<|¦a|b¦<|start|>¦<|endoftext|>s<|startoftext|>",
    "café naïve¦cafe\u0301 nai\u0308ve¦Ångström A\u030angstro\u0308m¦\u212bngstr\u00f6m¦Ω \u2126¦\u1e9b\u0323¦q\u0323\u0307 q\u0307\u0323¦한국어 \u1112\u1161\u11ab¦\u0958¦שָׁלוֹם¦ﷺ",
    "İstanbul¦DİYARBAKIR¦ıI¦ΣΑΣ ΟΔΟΣ ΣΣ Σ¦ΑΣ.¦ΑΣ.Α¦ΑΣ'Α¦'ΑΣ'¦ΑΣ\u0301¦\u02b0Σ¦Σ\u02b0¦ὈΔΥΣΣΕΎΣ¦STRASSE Straße ẞ¦ǅ Ǆ¦ß¦ŒUVRE Æ¦ⅧX¦ⒶⒷ¦𝐁𝐨𝐥𝐝¦𐐀𐐨¦Ꭰ¦ᲐᲑ",
    "你好世界¦吾輩は猫である。¦カタカナ ｶﾀｶﾅ¦ＦＵＬＬ ｗｉｄｔｈ １２３¦สวัสดีครับ¦नमस्ते दुनिया¦مرحبا بالعالم¦Привет, МИР!¦Γειά σου Κόσμε¦გამარჯობა¦ሰላም¦ཨོཾ",
    "😀 smile¦👩‍👩‍👧‍👦¦🇩🇪🇫🇷¦❤️¦☕️¦👍🏽¦½ cup¦x² + y³¦№ 5¦㊿¦Ⅳ¦٣٤٥¦१२३¦①②③¦²³¦™®©¦→←↑↓¦∑∫√¦€£¥¦\u00ad soft¦a\u00adb¦\u200bzero\u200bwidth\u200d¦\ufeffbom",
    "  leading¦trailing  ¦a\tb\nc\rd\x0be\x0cf¦a\u00a0b¦a\u2003b\u3000c¦a\u2028b\u2029c¦a\u0085b¦\x1cx\x1f¦a\x1cb¦\x1d \x1e¦ \x1f¦a\x00b¦\x7f¦\ufffd¦\ufffe¦\U0010ffff",
    "ﬁne ﬂuﬃeﬆ¦Ĳsland ŉ ǱǲǳǄǅǆ¦＆lt；¦a\u0085b\u0080c\u0099d¦\x1b[36;44mblue\x1b[0m \x1b[x \x1b[1٣m¦it\u02bcs a \u201bquote\u201f¦a\r\nb\rc¦x\u206ay\ufff9z\ufffc¦ﾡ\uffa0ﾊﾟ",
    "&EACUTE;¦&eACUTE;¦&SZLIG;¦&AMP;LT;¦&NTILDE; < &NTILDE;¦<b>&amp;amp;amp;\n&amp;amp;amp;¦&amp;amp;amp;\n<b>&amp;amp;amp;¦&#59;¦&#38;lt;¦&GTDOT;¦&AMP;amp;AMP;amp;¦&#x26;#x26;#x26;amp;¦&HELLIP;¦&ffilig;¦&FFILIG;",
    "a\u0345b¦\u0345¦α\u0345¦!\u0345!¦\u0345\u0345x¦\u1fb3¦ᾼ¦ϐ ϑ¦K Å¦ꙭ¦\u0300\u0301¦e\u0301\u0302\u0303¦_\u0301_",
    "&amp;¦&amp;amp;¦&amp;amp;amp;¦&lt;b&gt;¦&amp;lt;b&amp;gt;¦&quot;x&quot;¦&nbsp;x&nbsp;y¦caf&eacute;¦caf&eacute¦caf&eacutex¦&notit;¦&notin;¦&notinx¦&not;in¦&ampx¦&amp&amp¦&AMP;¦&Amp;¦&;¦&¦&&amp;¦a & b¦AT&T¦R&D;¦&x;¦&nosuchname;",
    "&#65;¦&#65¦&#x41;¦&#X41¦&#x41g¦&#;¦&#x;¦&#xg;¦&#128;&#153;¦&#x80¦&#129;¦&#0;¦&#13;¦&#1;¦&#x1f;¦&#127;¦&#xfdd0;¦&#xffff;¦&#x1fffe;¦&#xd800;¦&#xdfff;¦&#1114111;¦&#1114112;¦&#99999999999999999999;¦&#x110000;¦&#00065;¦&#39;s¦e&#769;¦&#38;amp;",
    "&fjlig;¦&nGt;¦&CounterClockwiseContourIntegral;¦&CounterClockwiseContourIntegralx;¦&semi;¦&sem;¦&acE;¦&lt¦&ltx¦&lt;¦&copy;2024¦&copy2024¦&frac12;¦&sup2¦&sup2x¦&thinsp;x¦&zwj;¦&shy;¦&Sigma;&ALPHA;¦&#x3a3;x&#x3a3;¦&lbrace;&rbrace;¦&e9;",
    "supercalifragilisticexpialidocious¦pneumonoultramicroscopicsilicovolcanoconiosis¦hippopotomonstrosesquippedaliophobia¦antidisestablishmentarianism¦lololololololololol¦hahahahahahahaha¦aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa¦abababababababababababab¦zzzzzzzz¦!!!!!!!!!!!!!!!!!!!!!!!!!!!!!¦=================¦........................................¦@@@@@@",
]
texts = [text for kind in kinds for text in kind.split("¦")]
texts += ["a" * n for n in (63, 64, 65)] + ["e" + "\u0301\u0323" * 40, "q" + "\u0315\u0300\u05ae" * 33 + "x", "ab" * 200,
          "\U00010054\u0323", "\U00011099\U000110ba"]
twice = {text for text in texts if texts.count(text) > 1}
if twice:
    sys.exit(f"texts are there twice: {twice}")

generator = random.Random(2023)
assigned = [chr(i) for i in range(0x110000) if unicodedata.category(chr(i)) not in ("Cn", "Cs", "Co")]
pool = list("   abcdefgstrvmld'ABCXYZ0189.,!?_-&&;##x<|>\t\n\u0345\u0301\u0323\u00a0ſİΣσΑα")
pool += sorted(html.entities.html5)[::7] + ["'s", "'LL", "<|endoftext|>", "&#", "&#x", "&amp;"]
for _ in range(args.random):
    few = generator.sample(assigned, 3)
    length = generator.randrange(1, 40)
    texts.append("".join(generator.choice(generator.choice((pool, pool, few, assigned))) for _ in range(length)))

with open(args.out, "w", encoding="utf-8") as f:
    rows = [json.dumps({"text": text, "words": words(text), "ids": tokenizer.encode(text)}) for text in texts]
    f.write("[\n" + ",\n".join(rows) + "\n]\n")
