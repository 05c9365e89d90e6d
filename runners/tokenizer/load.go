package tokenizer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// Limits on vocabulary files. CLIP's largest, tokenizer.json, has 2.2 MB and 49408 entries, that of XLM-V about 60 MB
// and 901629.
const (
	maxVocabulary = 128 << 20 // bytes, unpacked
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
			return nil, fmt.Errorf("%s: no vocabulary here: it takes %s and %s, or %s, or %s", path, VocabFile, MergesFile,
				FastFile, OpenAIFile)
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
		return loadFast(path)
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
	return nil, fmt.Errorf("%s: not a vocabulary file: name a directory with %s and %s, or a %s or %s", path, VocabFile,
		MergesFile, FastFile, OpenAIFile)
}

// In is what of directory dir [Load] would read: dir itself for a pair of files, or a file.
func In(dir string) (path string, ok bool) {
	has := func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && info.Mode().IsRegular()
	}
	switch {
	case has(FastFile):
		return filepath.Join(dir, FastFile), true
	case has(VocabFile) && has(MergesFile):
		return dir, true
	case has(OpenAIFile):
		return filepath.Join(dir, OpenAIFile), true
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
	t, err := loadFile(filepath.Join(dir, VocabFile),
		func(vocab io.Reader) (*Tokenizer, error) { return New(vocab, merges) })
	if err != nil {
		return nil, err
	}
	added, err := addedBeside(dir)
	if err == nil {
		err = t.addToCLIP(added)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return t, nil
}

// addedBeside are the added tokens that files beside a vocab.json name.
func addedBeside(dir string) ([]addedToken, error) {
	var c config
	if err := readBeside(dir, ConfigFile, &c); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	var out []addedToken
	for id, t := range c.Added {
		t.ID = id
		known[t.Content] = true
		out = append(out, t)
	}
	var more map[string]int32
	if err := readBeside(dir, AddedFile, &more); err != nil {
		return nil, err
	}
	for content, id := range more {
		if !known[content] {
			out = append(out, addedToken{ID: id, Content: content, Normalized: true})
		}
	}
	slices.SortFunc(out, func(a, b addedToken) int { return int(a.ID) - int(b.ID) })
	return out, nil
}

// readBeside reads a JSON file of a vocabulary's folder into v, if there is one.
func readBeside(dir, name string, v any) error {
	data, err := files.Read(filepath.Join(dir, name), 4<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
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
	return json.Unmarshal(trimBOM(data), v)
}

func trimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }
