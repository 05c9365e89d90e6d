package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"ovbench/runners/clip/cliptest"
	"ovbench/runners/tensor"
)

const microVocabulary = "../clip/testdata/micro/hf"

func microTokenizer(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := Load(microVocabulary)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// recordedVocabulary is OpenAI's vocabulary file among the recorded reference data, or the end of the test.
func recordedVocabulary(t testing.TB) string {
	t.Helper()
	return cliptest.Recorded(t, "golden", "clip-vocabulary", OpenAIFile)
}

func openAITokenizer(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := Load(recordedVocabulary(t))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The ids of testdata/micro were recorded with the authors' code, open_clip's tokenizer and a vocabulary of 647.
func TestMicroTokens(t *testing.T) {
	tok := microTokenizer(t)
	var texts struct {
		Texts []string `json:"texts"`
	}
	readJSON(t, "../clip/testdata/micro/texts.json", &texts)
	f, err := os.Open("../clip/testdata/micro/tokens.npy")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := tensor.ReadNPY(f)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts.Texts {
		ids, err := tok.Padded(text, 77, false)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, len(ids))
		for k, id := range ids {
			got[k] = float32(id)
		}
		if diff := cmp.Diff(want.At(i).Data, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	if tok.Size() != 647 || tok.SOT() != 645 || tok.EOT() != 646 {
		t.Errorf("size %d, start %d, end %d; config.json says 647, 645, 646", tok.Size(), tok.SOT(), tok.EOT())
	}
}

// tokenCase is what OpenAI's tokenizer makes of a text that is meant to break others: testdata/make_tokens.py.
type tokenCase struct {
	Text  string   `json:"text"`
	Words []string `json:"words"`
	IDs   []int32  `json:"ids"`
}

func tokenCases(t testing.TB) []tokenCase {
	t.Helper()
	var cases []tokenCase
	readJSON(t, "testdata/tokens.json", &cases)
	if len(cases) < 200 {
		t.Fatalf("only %d texts", len(cases))
	}
	return cases
}

func TestWords(t *testing.T) {
	for _, c := range tokenCases(t) {
		var got []string
		for rest := cleanText(c.Text); rest != ""; {
			n, isWord := nextWord(rest)
			if isWord {
				got = append(got, rest[:n])
			}
			rest = rest[n:]
		}
		if !slices.Equal(got, c.Words) {
			t.Errorf("%q: words %q, want %q", c.Text, got, c.Words)
		}
	}
}

func TestOpenAITokens(t *testing.T) {
	tok := openAITokenizer(t)
	for _, c := range tokenCases(t) {
		if got := tok.Encode(c.Text); !slices.Equal(got, c.IDs) {
			t.Errorf("%q: ids %v, want %v", c.Text, got, c.IDs)
		}
	}
}

// The recorded vectors come from an independent implementation of the same rules.
func TestRecordedVectors(t *testing.T) {
	tok := openAITokenizer(t)
	var file struct {
		SOT     int32 `json:"sot"`
		EOT     int32 `json:"eot"`
		Vectors []struct {
			Text string  `json:"text"`
			IDs  []int32 `json:"ids_without_specials"`
		} `json:"vectors"`
	}
	readJSON(t, cliptest.Recorded(t, "golden", "tokenizer_vectors.json"), &file)
	if tok.SOT() != file.SOT || tok.EOT() != file.EOT || tok.Size() != 49408 || len(file.Vectors) == 0 {
		t.Errorf("start %d, end %d, size %d, %d texts", tok.SOT(), tok.EOT(), tok.Size(), len(file.Vectors))
	}
	for _, v := range file.Vectors {
		if got := tok.Encode(v.Text); !slices.Equal(got, v.IDs) {
			t.Errorf("%q: ids %v, want %v", v.Text, got, v.IDs)
		}
	}
}

func TestTokens(t *testing.T) {
	tok := microTokenizer(t)
	sot, eot := tok.SOT(), tok.EOT()
	the := tok.Encode("the")[0]
	long := strings.Repeat("the ", 80)
	for _, c := range []struct {
		name, text string
		context    int
		truncate   bool
		want       []int32
		err        string
	}{
		{"short", "the the", 8, false, []int32{sot, the, the, eot}, ""},
		{"empty", "", 2, false, []int32{sot, eot}, ""},
		{"exactly full", "the the", 4, false, []int32{sot, the, the, eot}, ""},
		{"one too many", "the the the", 4, false, nil, `text "the the the" has 5 tokens with start and end, the model reads 4: shorten it`},
		{"cut", "the the the", 4, true, []int32{sot, the, the, eot}, ""},
		{"special inside", "the<|EndOfText|>the", 8, false, []int32{sot, the, eot, the, eot}, ""},
		{"long", long, 77, false, nil, "has 82 tokens"},
		{"huge", strings.Repeat("x", MaxText+1), 77, true, nil, "has 65537 bytes, the limit is 65536"},
		{"no room", "the", 1, true, nil, "a context of 1 tokens"},
	} {
		got, err := tok.Tokens(c.text, c.context, c.truncate)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || len(err.Error()) > 300 {
				t.Errorf("%s: error %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
		padded, err := tok.Padded(c.text, c.context, c.truncate)
		want := append(slices.Clone(c.want), make([]int32, c.context-len(c.want))...)
		if diff := cmp.Diff(want, padded); err != nil || diff != "" {
			t.Errorf("%s, padded: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
}

// Rows behind the vocabulary are padding if they fill a usual multiple.
func TestFits(t *testing.T) {
	tok := microTokenizer(t) // 647 tokens
	for rows, want := range map[int]bool{647: true, 648: true, 656: true, 704: true, 768: true, 1024: true, 646: false,
		650: false, 649: false, 705: false, 49408: false} {
		if tok.Fits(rows) != want {
			t.Errorf("%d rows: %v", rows, !want)
		}
	}
}

func TestDecode(t *testing.T) {
	tok := microTokenizer(t)
	ids, err := tok.Tokens("A photo, 2 CAFÉS", 77, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tok.Decode(ids), "<|startoftext|> a photo , 2 cafés <|endoftext|>"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := tok.Decode([]int32{-1, 0, 1 << 30}), "\ufffd!\ufffd"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// slowSplit is byte pair encoding as the paper's listing has it: look at all pairs, merge the best one everywhere.
func slowSplit(t *Tokenizer, word string) []int32 {
	var tokens []int32
	for i := range len(word) {
		tokens = append(tokens, t.model.(*byteBPE).inner[word[i]])
	}
	tokens[len(tokens)-1] = t.model.(*byteBPE).final[word[len(word)-1]]
	for {
		best, pair := merge{rank: -1}, [2]int32{}
		for i := 1; i < len(tokens); i++ {
			p := [2]int32{tokens[i-1], tokens[i]}
			if m, ok := t.model.(*byteBPE).merges[p]; ok && (best.rank < 0 || m.rank < best.rank) {
				best, pair = m, p
			}
		}
		if best.rank < 0 {
			return tokens
		}
		var merged []int32
		for i := 0; i < len(tokens); i++ {
			if i+1 < len(tokens) && tokens[i] == pair[0] && tokens[i+1] == pair[1] {
				merged = append(merged, best.id)
				i++
			} else {
				merged = append(merged, tokens[i])
			}
		}
		tokens = merged
	}
}

// All pairs of the best rank merge before a better one that comes out of them: by hand, after the paper's listing.
func TestSplitMergesRankByRank(t *testing.T) {
	var vocab, merges bytes.Buffer
	if err := smallVocabulary(&vocab, &merges, []mergePair{{"abc", "ab"}, {"a", "b"}, {"ab", "c"}}); err != nil {
		t.Fatal(err)
	}
	tok, err := New(&vocab, &merges)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, id := range tok.model.(*byteBPE).split("abcabcz") {
		got = append(got, tok.pieces[id])
	}
	if diff := cmp.Diff([]string{"abc", "abc", "z "}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ranks in any order, tokens that come out of several merges: what a trained vocabulary does not have.
func TestSplitEqualsSlowTwin(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		letter := rapid.SampledFrom([]string{"a", "b", "c"})
		tokens := []string{"a", "b", "c", "a</w>", "b</w>", "c</w>"}
		var pairs []mergePair
		for range rapid.IntRange(0, 30).Draw(r, "merges") {
			left := rapid.SampledFrom(tokens).Draw(r, "left")
			right := rapid.SampledFrom(tokens).Draw(r, "right")
			if strings.HasSuffix(left, wordEnd) || len(left)+len(right) > 20 {
				continue
			}
			pairs = append(pairs, mergePair{left, right})
			tokens = append(tokens, left+right)
		}
		pairs = rapid.Permutation(pairs).Draw(r, "ranks")
		var vocab, merges bytes.Buffer
		if err := smallVocabulary(&vocab, &merges, pairs); err != nil {
			r.Fatal(err)
		}
		tok, err := New(&vocab, &merges)
		if err != nil {
			r.Fatal(err)
		}
		word := strings.Join(rapid.SliceOfN(letter, 1, 40).Draw(r, "word"), "")
		if diff := cmp.Diff(slowSplit(tok, word), tok.model.(*byteBPE).split(word)); diff != "" {
			r.Errorf("%q (-slow +fast):\n%s", word, diff)
		}
	})
}

// smallVocabulary writes vocab.json and merges.txt of the bytes, the special strings and the pairs.
func smallVocabulary(vocab, merges *bytes.Buffer, pairs []mergePair) error {
	ids := map[string]int32{}
	add := func(token string) {
		if _, ok := ids[token]; !ok {
			ids[token] = int32(len(ids))
		}
	}
	for _, s := range byteSymbols() {
		add(s)
		add(s + wordEnd)
	}
	merges.WriteString("#version: 0.2\n")
	for _, p := range pairs {
		add(p[0] + p[1])
		fmt.Fprintf(merges, "%s %s\n", p[0], p[1])
	}
	add(startOfText)
	add(endOfText)
	return json.NewEncoder(vocab).Encode(ids)
}

func TestTokenizerIsShared(t *testing.T) {
	tok := microTokenizer(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 3 * cachedWords / 2 {
				text := fmt.Sprintf("w%x", i)
				if got := tok.Decode(tok.Encode(text)); strings.ReplaceAll(got, " ", "") != text {
					t.Errorf("%q became %q", text, got)
					return
				}
			}
		})
	}
	wg.Wait()
	for i := range cachedWords * 2 {
		tok.Encode(strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(i)))
	}
	tok.Encode(strings.Repeat("x", cachedBytes+1))
	if n := len(tok.model.(*byteBPE).words); n == 0 || n > cachedWords {
		t.Errorf("%d words are kept, at most %d should be", n, cachedWords)
	}
	for w := range tok.model.(*byteBPE).words {
		if len(w) > cachedBytes {
			t.Errorf("a word of %d bytes is kept", len(w))
		}
	}
}

// Every form of one vocabulary gives the same tokenizer.
func TestLoadTokenizer(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	vocab, err := os.ReadFile(microVocabulary + "/vocab.json")
	if err != nil {
		t.Fatal(err)
	}
	merges, err := os.ReadFile(microVocabulary + "/merges.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(merges)), "\n")[1:]
	var pairs [][]string
	for _, l := range lines {
		pairs = append(pairs, strings.Fields(l))
	}
	fast := func(merges any) []byte {
		data, err := json.Marshal(map[string]any{
			"added_tokens": []any{map[string]any{"id": 646, "content": endOfText}},
			"model": map[string]any{"type": "BPE", "end_of_word_suffix": "</w>", "vocab": json.RawMessage(vocab),
				"merges": merges},
		})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(merges)
	z.Close()

	want := microTokenizer(t)
	const text = "A photo of THE  dog's 3 traffic lights, café 你好<|endoftext|>!"
	for name, path := range map[string]string{
		"vocab.json":            microVocabulary + "/vocab.json",
		"merges.txt":            microVocabulary + "/merges.txt",
		"fast, lines":           write("lines/tokenizer.json", fast(lines)),
		"fast, pairs":           write("pairs/tokenizer.json", fast(pairs)),
		"fast, directory":       filepath.Join(dir, "pairs"),
		"OpenAI, unpacked":      write("bpe.txt", merges),
		"OpenAI":                write("gz/"+OpenAIFile, zipped.Bytes()),
		"OpenAI, directory":     filepath.Join(dir, "gz"),
		"windows line ends":     filepath.Dir(write("crlf/vocab.json", vocab)),
		"fast form before pair": filepath.Dir(write("both/vocab.json", []byte("{}"))),
	} {
		switch name {
		case "windows line ends":
			write("crlf/merges.txt", bytes.ReplaceAll(merges, []byte("\n"), []byte("\r\n")))
		case "fast form before pair":
			write("both/tokenizer.json", fast(pairs))
			write("both/merges.txt", nil)
		}
		got, err := Load(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// OpenAI's form has no ids: they follow from the order of merges, as the micro vocabulary's do.
		if diff := cmp.Diff(want.Encode(text), got.Encode(text)); diff != "" || got.Size() != want.Size() {
			t.Errorf("%s: size %d (-want +got):\n%s", name, got.Size(), diff)
		}
	}
}

func TestLoadTokenizerFaults(t *testing.T) {
	good := func() (map[string]any, string) {
		var vocab, merges bytes.Buffer
		if err := smallVocabulary(&vocab, &merges, []mergePair{{"a", "b"}}); err != nil {
			t.Fatal(err)
		}
		var ids map[string]any
		if err := json.Unmarshal(vocab.Bytes(), &ids); err != nil {
			t.Fatal(err)
		}
		return ids, merges.String()
	}
	for _, c := range []struct {
		name  string
		spoil func(ids map[string]any, merges *string)
		want  string
	}{
		{"no byte", func(ids map[string]any, _ *string) { delete(ids, "Ġ") }, `token "Ġ" of byte 0x20 is missing`},
		{"no last byte", func(ids map[string]any, _ *string) { delete(ids, "a</w>") }, `token "a</w>" of byte 0x61 is missing`},
		{"no start", func(ids map[string]any, _ *string) { delete(ids, startOfText) }, `token "<|startoftext|>" is missing`},
		{"no merged token", func(ids map[string]any, _ *string) { delete(ids, "ab") }, `merge 1, "a" and "b"`},
		{"negative", func(ids map[string]any, _ *string) { ids["ab"] = -1 }, `token "ab" has id -1`},
		{"huge", func(ids map[string]any, _ *string) { ids["ab"] = 1 << 30 }, `token "ab" has id 1073741824`},
		{"twice", func(ids map[string]any, _ *string) { ids["ab"] = ids["a"] }, "belongs to more than one token"},
		{"no number", func(ids map[string]any, _ *string) { ids["ab"] = "7" }, "cannot unmarshal string"},
		{"fraction", func(ids map[string]any, _ *string) { ids["ab"] = 7.5 }, "cannot unmarshal number"},
		{"three parts", func(_ map[string]any, m *string) { *m += "a b c\n" }, `merges.txt: line 3: "a b c" is not two tokens`},
		{"one part", func(_ map[string]any, m *string) { *m += "\nab\n" }, `merges.txt: line 4: "ab" is not two tokens`},
		{"long line", func(_ map[string]any, m *string) { *m += strings.Repeat("a", 1<<17) }, "token too long"},
	} {
		ids, merges := good()
		c.spoil(ids, &merges)
		vocab, err := json.Marshal(ids)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(bytes.NewReader(vocab), strings.NewReader(merges)); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	dir := t.TempDir()
	for name, c := range map[string]struct{ data, want string }{
		"tokenizer.json":  {`{"model":{"type":"WordPiece","vocab":{"a":1}}}`, `a tokenizer of type "WordPiece" is not supported`},
		"gpt2.json":       {`{"model":{"type":"BPE","vocab":{"a":0}},"pre_tokenizer":{"type":"ByteLevel"}}`, `pre_tokenizer "ByteLevel" is not supported`},
		"merge.json":      {`{"model":{"type":"BPE","end_of_word_suffix":"</w>","merges":[["a"]]}}`, `merge ["a"] has no two parts`},
		"empty.json":      {``, "unexpected end of JSON input"},
		"x.txt.gz":        {"this is no gzip file", "gzip: invalid header"},
		"few.txt":         {"#version\na a\naa a\na aa\n", `token "aaa" comes out of two merges`},
		"weights.bin":     {"", "not a vocabulary file"},
		"here/other.file": {"", "no vocabulary here: it takes vocab.json and merges.txt"},
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "here/") {
			path = filepath.Dir(path)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// Where x/text composes as Unicode says, both give the same.
func TestComposeText(t *testing.T) {
	some := rapid.SampledFrom([]rune("aeoqsAα한가\u1100\u1161\u11a8\u0300\u0301\u0302\u0307\u0308\u0323\u0327\u0328\u0338\u0345\u05ae\u0315\u093c\u0915\u0958\u212b\u2126\u0f71\u0f72\u0f73\u0344\u1e9b\U0001d15e\U00011099\U000110ba"))
	low := rapid.Map(rapid.Rune(), func(r rune) rune { return r & 0xffff }) // see the note at composeText
	rapid.Check(t, func(r *rapid.T) {
		s := string(rapid.SliceOfN(rapid.OneOf(some, some, low), 0, 25).Draw(r, "text"))
		if got, want := composeText(s), norm.NFC.String(s); got != want {
			r.Errorf("%+q: %+q, want %+q", s, got, want)
		}
	})
	// The 31st mark and later ones: Python 3.11, unicodedata.normalize("NFC", "e" + "\u0323\u0301" * 20).
	long := composeText("e" + strings.Repeat("\u0323\u0301", 20))
	if want := "\u1eb9" + strings.Repeat("\u0323", 19) + strings.Repeat("\u0301", 20); long != want {
		t.Errorf("many marks: %+q, want %+q", long, want)
	}
}

func FuzzTokenizer(f *testing.F) {
	for _, c := range tokenCases(f) {
		f.Add(c.Text)
	}
	f.Add("\xff\xc3&#\xe2\x82")
	tok := microTokenizer(f)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		ids := tok.Encode(text)
		if len(ids) > 12*len(text)+12 {
			t.Errorf("%d ids of %d bytes", len(ids), len(text))
		}
		for _, id := range ids {
			if id < 0 || int(id) >= tok.Size() {
				t.Fatalf("id %d", id)
			}
		}
		// Nothing but what separates words is lost on the way back.
		solid := func(s string) string {
			return strings.Map(func(r rune) rune {
				if kindOf(r) == kindSpace {
					return -1
				}
				return r
			}, s)
		}
		if got, want := solid(tok.Decode(ids)), solid(cleanText(text)); got != want || !utf8.ValidString(got) {
			t.Errorf("%q came back as %q", want, got)
		}
		if whole, err := tok.Tokens(text, 77, true); err != nil || len(whole) > 77 || whole[len(whole)-1] != tok.EOT() {
			t.Errorf("%v, %v", whole, err)
		}
	})
}

// FuzzVocabulary reads hostile files, and uses what it accepts.
func FuzzVocabulary(f *testing.F) {
	var vocab, merges bytes.Buffer
	if err := smallVocabulary(&vocab, &merges, []mergePair{{"a", "b"}, {"ab", "c</w>"}}); err != nil {
		f.Fatal(err)
	}
	f.Add(vocab.Bytes(), merges.Bytes())
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, vocab, merges []byte) {
		if tok, err := New(bytes.NewReader(vocab), bytes.NewReader(merges)); err == nil {
			tok.Decode(tok.Encode("abc a<|endoftext|>\x00é"))
		}
		if tok, err := readFast(vocab, dir); err == nil {
			tok.Encode("abc")
		}
		if tok, err := readOpenAI(bytes.NewReader(merges)); err == nil {
			tok.Encode("abc")
		}
	})
}

// prompts are class names in templates, as an evaluation encodes them.
func prompts(b *testing.B) []string {
	b.Helper()
	data, err := os.ReadFile("../clip/templates/surgery85.txt")
	if err != nil {
		b.Fatal(err)
	}
	var texts []string
	for _, name := range []string{"aeroplane", "potted plant", "tv/monitor", "traffic light", "Motorbike", "wall-brick"} {
		for template := range strings.Lines(string(data)) {
			texts = append(texts, strings.Replace(template, "{}", name, 1))
		}
	}
	return texts
}

func BenchmarkTokens(b *testing.B) {
	tok := openAITokenizer(b)
	texts := prompts(b)
	i := 0
	for b.Loop() {
		if _, err := tok.Tokens(texts[i%len(texts)], 77, false); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkSplit is a word that is not in the cache.
func BenchmarkSplit(b *testing.B) {
	tok := openAITokenizer(b)
	for _, word := range []string{"motorbike", "supercalifragilisticexpialidocious", strings.Repeat("ab", MaxText/2)} {
		b.Run(fmt.Sprint(len(word)), func(b *testing.B) {
			for b.Loop() {
				tok.model.(*byteBPE).split(word)
			}
		})
	}
}

func BenchmarkLoadTokenizer(b *testing.B) {
	path := recordedVocabulary(b)
	for b.Loop() {
		if _, err := Load(path); err != nil {
			b.Fatal(err)
		}
	}
}
