package tokenizer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/runners/clip/cliptest"
)

// recordedTokenizers are tiny vocabularies of the towers' own kinds, with ids of 25 hostile texts.
var recordedTokenizers = []struct {
	dir, vectors string
	cleaning     Cleaning
	size         int
}{
	{"siglip/hf", "siglip/tokenizer_vectors.json", CleanSigLIP, 300},
	{"siglip/open_clip", "siglip/open_clip_tokenizer_vectors.json", CleanCanonicalize, 300},
	{"siglip2/hf", "siglip2/tokenizer_vectors.json", CleanLower, 630},
	{"siglip2/open_clip", "siglip2/open_clip_tokenizer_vectors.json", CleanCanonicalize, 630},
	{"metaclip2/hf", "metaclip2/tokenizer_vectors.json", CleanNone, 342},
}

// The ids were recorded with tokenizers 0.23.3 (and, but for spelled special tokens, with SentencePiece) behind each
// library's cleaning.
func TestRecordedTokenizers(t *testing.T) {
	for _, c := range recordedTokenizers {
		t.Run(c.dir, func(t *testing.T) {
			root := cliptest.Recorded(t, "golden", "towers")
			var file struct {
				Length   int
				Pad, EOS int32
				Texts    []struct {
					Text string
					IDs  []int32
				}
			}
			readJSON(t, filepath.Join(root, c.vectors), &file)
			tok, err := Load(filepath.Join(root, c.dir))
			if err != nil {
				t.Fatal(err)
			}
			if tok.Size() != c.size || tok.EOT() != file.EOS || tok.Cleaning() != c.cleaning || len(file.Texts) != 25 {
				t.Errorf("size %d, end %d, cleaning %q, %d texts", tok.Size(), tok.EOT(), tok.Cleaning(), len(file.Texts))
			}
			for _, v := range file.Texts {
				got, err := tok.Tokens(v.Text, 1000, false)
				if diff := cmp.Diff(v.IDs, got); err != nil || diff != "" {
					t.Errorf("%q: %v (-want +got):\n%s", v.Text, err, diff)
				}
				padded, err := tok.Padded(v.Text, file.Length, true)
				want := slices.Clone(v.IDs)
				if len(want) > file.Length {
					want = append(want[:file.Length-1], file.EOS)
				}
				for len(want) < file.Length {
					want = append(want, file.Pad)
				}
				if diff := cmp.Diff(want, padded); err != nil || diff != "" {
					t.Errorf("%q padded: %v (-want +got):\n%s", v.Text, err, diff)
				}
			}
		})
	}
}

// peer runs a program with the Python that OVBENCH_PYTHON names, gives it JSON and reads JSON, or ends the test.
func peer(t *testing.T, module, program string, in, out any) {
	t.Helper()
	python := os.Getenv("OVBENCH_PYTHON")
	if python == "" || exec.CommandContext(t.Context(), python, "-c", "import "+module).Run() != nil {
		t.Skipf("set OVBENCH_PYTHON to a Python with %s", module)
	}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), python, "-c",
		"import json,sys,"+module+"\nx=json.load(sys.stdin)\njson.dump("+program+",sys.stdout)")
	c.Stdin = strings.NewReader(string(data))
	said, err := c.Output()
	if err == nil {
		err = json.Unmarshal(said, out)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// hostileTexts are of letters that libraries disagree on, of one script, and of anything.
func hostileTexts(n int) (texts []string) {
	r := rand.New(rand.NewPCG(7, 7))
	odd := []rune("  aábcdefgHIJ019.,!?_-'▁▁\t\n\u00a0\u3000\u200b\u0301\u0323İΣσςßﬁ①½²Ａｶﾞﷺ한\u1112\u1161的你мя😀🐱\u200d\ufeff\x00\x1c\u0085“’–…éẞǅ")
	specials := []string{"<pad>", "</s>", "<s>", "<unk>", "<mask>", "<eos>", "<bos>", "<0x41>", "<0xE2>", "photo", "of a ",
		"&amp;", "\r\n", "\x1b[1m", "&EACUTE;", "<"}
	for range n {
		var b strings.Builder
		few := rune(r.IntN(0x3000))
		for range r.IntN(40) {
			switch r.IntN(6) {
			case 0:
				b.WriteString(specials[r.IntN(len(specials))])
			case 1:
				b.WriteRune(few + rune(r.IntN(60)))
			case 2:
				if c := rune(r.IntN(0x11000)); c < 0xd800 || c > 0xdfff {
					b.WriteRune(c)
				}
			default:
				b.WriteRune(odd[r.IntN(len(odd))])
			}
		}
		texts = append(texts, b.String())
	}
	return texts
}

func TestFastEqualsTokenizers(t *testing.T) {
	texts := hostileTexts(2000)
	for _, c := range recordedTokenizers {
		t.Run(c.dir, func(t *testing.T) {
			path := cliptest.Recorded(t, "golden", "towers", filepath.FromSlash(c.dir), FastFile)
			tok, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			tok.cleaning = CleanNone // is no part of tokenizers
			var want [][]int32
			peer(t, "tokenizers", "[e.ids for e in tokenizers.Tokenizer.from_file(x[0]).encode_batch(x[1])]", []any{path, texts},
				&want)
			compareIDs(t, tok, texts, want)
		})
	}
}

func compareIDs(t *testing.T, tok *Tokenizer, texts []string, want [][]int32) {
	t.Helper()
	wrong := 0
	for i, text := range texts {
		got, err := tok.Tokens(text, 1<<20, false)
		if err == nil && slices.Equal(want[i], got) {
			continue
		}
		if wrong++; wrong < 5 {
			t.Errorf("%q: %v\ngot  %v\nwant %v", text, err, got, want[i])
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d texts differ", wrong, len(texts))
	}
}

func TestFixTextEqualsFtfy(t *testing.T) {
	texts := hostileTexts(3000)
	var want []string
	peer(t, "ftfy", "[ftfy.fix_text(s,fix_encoding=False) for s in x]", texts, &want)
	for i, text := range texts {
		if got := fixText(text); got != want[i] {
			t.Errorf("%q: %q, want %q", text, got, want[i])
		}
	}
}

// Added tokens are cut out before a text is cleaned and split: the ids follow from the files below by the rules of
// Hugging Face's tokenizers, checked with version 0.23.3.
func TestAddedTokens(t *testing.T) {
	vocab, err := os.ReadFile(microVocabulary + "/vocab.json")
	if err != nil {
		t.Fatal(err)
	}
	merges, err := os.ReadFile(microVocabulary + "/merges.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]map[string]string{
		"added_tokens.json": {AddedFile: `{"<sks-dog>": 647, "<|endoftext|>": 646, "<Zwei>": 648}`},
		"tokenizer_config.json": {ConfigFile: `{"added_tokens_decoder": {"647": {"content": "<sks-dog>"}, "646": {"content": "<|endoftext|>"}, "648": {"content": "<zwei>", "normalized": true}},
			"pad_token": {"content": "<|endoftext|>"}}`},
		"tokenizer.json": {FastFile: fmt.Sprintf(`{"added_tokens": [{"id": 647, "content": "<sks-dog>"}, {"id": 645, "content": "<|startoftext|>"}, {"id": 648, "content": "<zwei>", "normalized": true}],
			"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "'s|\\\\p{L}+"}, "behavior": "Removed", "invert": true}, {"type": "ByteLevel"}]},
			"post_processor": {"type": "RobertaProcessing"}, "model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": %s, "merges": %s}}`, vocab, mergesJSON(string(merges)))},
	} {
		dir := t.TempDir()
		files[VocabFile], files[MergesFile] = string(vocab), string(merges)
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tok, err := Load(dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a, of := tok.Encode("a photo"), tok.Encode("of")
		want := slices.Concat(a, []int32{647}, of, []int32{648}, of)
		if got := tok.Encode("a photo<sks-dog>of <ZWEI> of"); !slices.Equal(got, want) || tok.Size() != 649 {
			t.Errorf("%s: %v of %d, want %v of 649", name, got, tok.Size(), want)
		}
		if got := tok.Decode([]int32{647}); got != "<sks-dog>" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func mergesJSON(lines string) string {
	data, err := json.Marshal(strings.Split(strings.TrimSpace(lines), "\n")[1:])
	if err != nil {
		panic(err)
	}
	return string(data)
}

// What a tokenizer.json can get wrong or ask for that is not there.
func TestFastRefuses(t *testing.T) {
	const model = `"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1],["</s>",0]]}`
	const around = `"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"</s>"}}],"special_tokens":{"</s>":{"ids":[2]}}}`
	if tok, err := readFast([]byte("{"+model+","+around+"}"), t.TempDir()); err != nil || tok.EOT() != 2 ||
		tok.SOT() != -1 {
		t.Fatal("the form that others spoil: ", err)
	}
	for _, c := range []struct{ file, want string }{
		{model, "no token ends a text"},
		{strings.Replace(model, `"unk_id":0`, `"unk_id":3`, 1) + "," + around, "unk_id is missing or no id"},
		{strings.Replace(model, `["a",-1]`, `["a"]`, 1) + "," + around, `piece ["a"] is no text with a score`},
		{strings.Replace(model, `["a",-1]`, `["",-1]`, 1) + "," + around, "piece 1"},
		{model + `,"post_processor":{"type":"ByteLevel"}`, `post_processor "ByteLevel" is not supported`},
		{model + "," + strings.Replace(around, "[2]", "[9]", 1), "special token 9 is not in the vocabulary"},
		{model + "," + around + `,"normalizer":{"type":"Nmt"}`, `normalizer "Nmt" is not supported`},
		{model + "," + around + `,"normalizer":{"type":"Sequence","normalizers":[{"type":"BertNormalizer"}]}`, `normalizer "BertNormalizer" is not supported`},
		{model + "," + around + `,"normalizer":{"type":"Replace","pattern":{"Regex":"(a|b)*"},"content":""}`, `(a|b)*"} is not supported`},
		{model + "," + around + `,"normalizer":{"type":"Replace","pattern":{"String":""},"content":"x"}`, "is not supported"},
		{model + "," + around + `,"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="}`, "too short for its trie"},
		{model + "," + around + `,"pre_tokenizer":{"type":"Metaspace","replacement":""}`, "Metaspace with replacement"},
		{model + "," + around + `,"pre_tokenizer":{"type":"Split","pattern":{"String":" "},"behavior":"Removed"}`, `Split with behaviour "Removed"`},
		{model + "," + around + `,"added_tokens":[{"id":1073741824,"content":"x"}]`, "added token"},
		{`"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[["a","b"]]},` + around, "do not belong together"},
		{`"model":{"type":"BPE","vocab":{"a":0},"dropout":0.1},` + around, "dropout is not supported"},
	} {
		if _, err := readFast([]byte("{"+c.file+"}"), t.TempDir()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\nerror %v, want %s", c.file, err, c.want)
		}
	}
}

// No tokenizer.json makes reading or encoding fail in another way than by an error.
func FuzzFast(f *testing.F) {
	const around = `,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"</s>"}}],"special_tokens":{"<s>":{"ids":[0]},"</s>":{"ids":[1]}}}}`
	for _, file := range []string{
		`{"model":{"type":"Unigram","unk_id":2,"vocab":[["<s>",0],["</s>",0],["<unk>",0],["▁",-1],["a",-2.5],["▁ab",-3]]},
		"normalizer":{"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"BAAAAAEAAABhAGI="},{"type":"Strip","strip_left":true,"strip_right":true},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"},{"type":"NFKC"},{"type":"Prepend","prepend":"▁"}]},
		"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}]}`,
		`{"added_tokens":[{"id":7,"content":"<x>","lstrip":true,"rstrip":true},{"id":8,"content":"B","normalized":true,"single_word":true}],
		"model":{"type":"BPE","byte_fallback":true,"fuse_unk":true,"unk_token":"<unk>","vocab":{"<s>":0,"</s>":1,"<unk>":2,"▁":3,"a":4,"▁a":5,"<0x42>":6},"merges":["▁ a"]},
		"normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious"}`,
	} {
		if _, err := readFast([]byte(file+around), f.TempDir()); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(file+around), "A photo ﬁ ½ 😀</s> <x> B ab")
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		tok, err := readFast(data, dir)
		if err != nil {
			return
		}
		ids, err := tok.Tokens(text, 1<<20, false)
		for _, id := range ids {
			if err == nil && (id < 0 || int(id) >= tok.Size()) {
				t.Errorf("id %d of %d", id, tok.Size())
			}
		}
	})
}
