package tokenizer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"ovbench/runners/files"
)

// Names of the files a vocabulary comes in.
const (
	VocabFile  = "vocab.json" // with MergesFile: Hugging Face
	MergesFile = "merges.txt"
	AddedFile  = "added_tokens.json"            // more tokens of the model, for VocabFile
	ConfigFile = "tokenizer_config.json"        // and what they are
	FastFile   = "tokenizer.json"               // Hugging Face, all in one
	OpenAIFile = "bpe_simple_vocab_16e6.txt.gz" // OpenAI and open_clip: merges alone
)

// Limits on vocabulary files. CLIP's largest, tokenizer.json, has 2.2 MB, and its vocabulary 49408 entries.
const (
	maxVocabulary = 32 << 20 // bytes, unpacked
	maxTokenID    = 1 << 20
)

// openAIMerges is how many merges of OpenAI's file belong to the vocabulary of 49408: it has more.
const openAIMerges = 49152 - 256 - 2

// Load reads the vocabulary at path: a directory with vocab.json and merges.txt, tokenizer.json or
// bpe_simple_vocab_16e6.txt.gz, or one of these files.
func Load(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		found, ok := In(path)
		if !ok {
			return nil, fmt.Errorf("%s: no vocabulary here: it takes %s and %s, or %s, or %s", path, VocabFile, MergesFile, FastFile, OpenAIFile)
		}
		if found == path {
			return loadPair(path)
		}
		path = found
	}
	switch name := filepath.Base(path); {
	case name == VocabFile || name == MergesFile:
		return loadPair(filepath.Dir(path))
	case strings.HasSuffix(name, ".json"):
		return loadFile(path, readFastTokenizer)
	case strings.HasSuffix(name, ".gz"):
		return loadFile(path, func(r io.Reader) (*Tokenizer, error) {
			z, err := gzip.NewReader(r)
			if err != nil {
				return nil, err
			}
			return readOpenAI(z)
		})
	case strings.HasSuffix(name, ".txt"):
		return loadFile(path, readOpenAI)
	}
	return nil, fmt.Errorf("%s: not a vocabulary file: name a directory with %s and %s, or a %s or %s", path, VocabFile, MergesFile, FastFile, OpenAIFile)
}

// In is what of directory dir [Load] would read: dir itself for a pair of files, or a file.
func In(dir string) (path string, ok bool) {
	has := func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && info.Mode().IsRegular()
	}
	if has(VocabFile) && has(MergesFile) {
		return dir, true
	}
	for _, name := range []string{FastFile, OpenAIFile} {
		if has(name) {
			return filepath.Join(dir, name), true
		}
	}
	return "", false
}

// Files are the files that [Load] reads at path.
func Files(path string) []string {
	if found, ok := In(path); ok {
		path = found
	}
	switch name := filepath.Base(path); {
	case name == VocabFile || name == MergesFile:
		path = filepath.Dir(path)
	case strings.HasSuffix(name, ".json"), strings.HasSuffix(name, ".gz"), strings.HasSuffix(name, ".txt"):
		return []string{path}
	}
	return []string{filepath.Join(path, VocabFile), filepath.Join(path, MergesFile)}
}

func loadFile(path string, read func(io.Reader) (*Tokenizer, error)) (*Tokenizer, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func loadPair(dir string) (*Tokenizer, error) {
	merges, err := files.Open(filepath.Join(dir, MergesFile))
	if err != nil {
		return nil, err
	}
	defer merges.Close()
	return loadFile(filepath.Join(dir, VocabFile), func(vocab io.Reader) (*Tokenizer, error) { return New(vocab, merges) })
}

// New reads a vocabulary from the contents of vocab.json, token to id, and of merges.txt, pairs by rank.
func New(vocab, merges io.Reader) (*Tokenizer, error) {
	var ids map[string]int32
	if err := readVocabularyJSON(vocab, &ids); err != nil {
		return nil, err
	}
	pairs, err := readMerges(merges, -1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", MergesFile, err)
	}
	return buildTokenizer(ids, pairs)
}

// readFastTokenizer reads tokenizer.json.
func readFastTokenizer(r io.Reader) (*Tokenizer, error) {
	var file struct {
		Added []struct {
			ID      int32  `json:"id"`
			Content string `json:"content"`
		} `json:"added_tokens"`
		Model struct {
			Type   string           `json:"type"`
			Suffix string           `json:"end_of_word_suffix"`
			Vocab  map[string]int32 `json:"vocab"`
			Merges []mergePair      `json:"merges"`
		} `json:"model"`
	}
	err := readVocabularyJSON(r, &file)
	var wrong *json.UnmarshalTypeError
	if err != nil && !(errors.As(err, &wrong) && file.Model.Type != "BPE" && file.Model.Type != "") {
		return nil, err
	}
	if file.Model.Type != "BPE" || file.Model.Suffix != wordEnd {
		return nil, fmt.Errorf("a tokenizer of type %q with word suffix %q is not supported: CLIP's is BPE with %q", file.Model.Type, file.Model.Suffix, wordEnd)
	}
	ids := file.Model.Vocab
	for _, a := range file.Added {
		if _, ok := ids[a.Content]; !ok && ids != nil {
			ids[a.Content] = a.ID
		}
	}
	return buildTokenizer(ids, file.Model.Merges)
}

// readOpenAI reads merges alone. The ids follow from their order: bytes, bytes that end a word, merges, the two
// special strings.
func readOpenAI(r io.Reader) (*Tokenizer, error) {
	pairs, err := readMerges(r, openAIMerges)
	if err != nil {
		return nil, err
	}
	symbols := byteSymbols()
	ids := make(map[string]int32, 2*len(symbols)+len(pairs)+2)
	add := func(token string) { ids[token] = int32(len(ids)) }
	for _, end := range []string{"", wordEnd} {
		// Bytes that stand for themselves come first.
		for _, remapped := range []bool{false, true} {
			for b, s := range symbols {
				if (s != string(rune(b))) == remapped {
					add(s + end)
				}
			}
		}
	}
	for _, p := range pairs {
		if _, ok := ids[p[0]+p[1]]; ok {
			return nil, fmt.Errorf("token %q comes out of two merges: this is not OpenAI's vocabulary", p[0]+p[1])
		}
		add(p[0] + p[1])
	}
	add(startOfText)
	add(endOfText)
	return buildTokenizer(ids, pairs)
}

// mergePair is two tokens that merge; tokenizer.json has them as "a b" or as ["a", "b"].
type mergePair [2]string

func (p *mergePair) UnmarshalJSON(data []byte) error {
	var line string
	if json.Unmarshal(data, &line) == nil {
		left, right, ok := strings.Cut(line, " ")
		if !ok {
			return fmt.Errorf("merge %q has no two parts", line)
		}
		*p = mergePair{left, right}
		return nil
	}
	var parts []string
	if err := json.Unmarshal(data, &parts); err != nil || len(parts) != 2 {
		return fmt.Errorf("merge %s has no two parts", data)
	}
	*p = mergePair{parts[0], parts[1]}
	return nil
}

// readMerges reads pairs, one a line in order of rank, behind a line with "#version"; at most n, if not negative.
func readMerges(r io.Reader, n int) ([]mergePair, error) {
	limited := &io.LimitedReader{R: r, N: maxVocabulary}
	lines := bufio.NewScanner(limited)
	var pairs []mergePair
	for line := 1; len(pairs) != n && lines.Scan(); line++ {
		text := lines.Text()
		if line == 1 && strings.Contains(text, "#version") {
			continue
		}
		parts := strings.Fields(text)
		if len(parts) == 0 {
			continue
		}
		if len(parts) != 2 {
			return nil, fmt.Errorf("line %d: %s is not two tokens", line, excerpt(text))
		}
		pairs = append(pairs, mergePair{parts[0], parts[1]})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("more than %d bytes are too many for a vocabulary", maxVocabulary)
	}
	return pairs, nil
}

func readVocabularyJSON(r io.Reader, v any) error {
	data, err := io.ReadAll(io.LimitReader(r, maxVocabulary+1))
	if err != nil {
		return err
	}
	if len(data) > maxVocabulary {
		return fmt.Errorf("more than %d bytes are too many for a vocabulary", maxVocabulary)
	}
	return json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), v)
}

// wordEnd marks the token that ends a word.
const wordEnd = "</w>"

// byteSymbols spells every byte as a printable character, as GPT-2 does: bytes that are printable in Latin-1 are
// themselves, the others follow from U+0100 on.
func byteSymbols() (symbols [256]string) {
	next := rune(256)
	for b := range symbols {
		r := rune(b)
		if !(r >= '!' && r <= '~' || r >= '¡' && r <= '¬' || r >= '®') {
			r = next
			next++
		}
		symbols[b] = string(r)
	}
	return symbols
}

// buildTokenizer checks a vocabulary and makes a tokenizer of it.
func buildTokenizer(ids map[string]int32, pairs []mergePair) (*Tokenizer, error) {
	t := &Tokenizer{merges: make(map[[2]int32]merge, len(pairs)), words: map[string][]int32{}}
	symbols := byteSymbols()
	for b, s := range symbols {
		for _, e := range []struct {
			token string
			id    *int32
		}{{s, &t.inner[b]}, {s + wordEnd, &t.final[b]}} {
			id, ok := ids[e.token]
			if !ok {
				return nil, fmt.Errorf("token %q of byte 0x%02x is missing: this is not a vocabulary of CLIP's byte-level BPE", e.token, b)
			}
			*e.id = id
		}
	}
	for _, e := range []struct {
		token string
		id    *int32
	}{{startOfText, &t.sot}, {endOfText, &t.eot}} {
		id, ok := ids[e.token]
		if !ok {
			return nil, fmt.Errorf("token %q is missing: this is not a vocabulary of CLIP's", e.token)
		}
		*e.id = id
	}
	for rank, p := range pairs {
		left, ok1 := ids[p[0]]
		right, ok2 := ids[p[1]]
		both, ok3 := ids[p[0]+p[1]]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("merge %d, %q and %q: not all of them and %q are in the vocabulary: its files do not belong together", rank+1, p[0], p[1], p[0]+p[1])
		}
		t.merges[[2]int32{left, right}] = merge{int32(rank), both}
	}
	return t, t.setPieces(ids, symbols)
}

// setPieces fills in what each token stands for.
func (t *Tokenizer) setPieces(ids map[string]int32, symbols [256]string) error {
	bytesOf := make(map[rune]byte, len(symbols))
	for b, s := range symbols {
		bytesOf[[]rune(s)[0]] = byte(b)
	}
	size := int32(0)
	for token, id := range ids {
		if id < 0 || id >= maxTokenID {
			return fmt.Errorf("token %q has id %d: ids go from 0 to %d", token, id, maxTokenID-1)
		}
		size = max(size, id+1)
	}
	t.pieces = make([]string, size)
	for token, id := range ids {
		if t.pieces[id] != "" {
			return fmt.Errorf("id %d belongs to more than one token, %q is one", id, token)
		}
		word, ends := strings.CutSuffix(token, wordEnd)
		var piece []byte
		for _, r := range word {
			b, ok := bytesOf[r]
			if !ok {
				piece = []byte(word) // a token that was added as it is
				break
			}
			piece = append(piece, b)
		}
		if ends || id == t.sot || id == t.eot {
			piece = append(piece, ' ')
		}
		t.pieces[id] = string(piece)
	}
	return nil
}
