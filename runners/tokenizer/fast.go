package tokenizer

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"ovbench/runners/files"
)

// fastFile is tokenizer.json: how a text is normalised, cut into words, cut into tokens and put between special ones.
type fastFile struct {
	Added     []addedToken    `json:"added_tokens"`
	Normal    json.RawMessage `json:"normalizer"`
	Splitting json.RawMessage `json:"pre_tokenizer"`
	Around    json.RawMessage `json:"post_processor"`
	Model     fastModel       `json:"model"`
}

// fastModel is the part of tokenizer.json that holds the vocabulary: a list of pieces with scores, or ids by token with
// merges.
type fastModel struct {
	Type         string          `json:"type"`
	Vocab        json.RawMessage `json:"vocab"`
	UnkID        *int32          `json:"unk_id"`
	Merges       []mergePair     `json:"merges"`
	UnkToken     string          `json:"unk_token"`
	Prefix       string          `json:"continuing_subword_prefix"`
	Suffix       string          `json:"end_of_word_suffix"`
	Dropout      *float64        `json:"dropout"`
	FuseUnk      bool            `json:"fuse_unk"`
	ByteFallback bool            `json:"byte_fallback"`
	IgnoreMerges bool            `json:"ignore_merges"`

	vocab map[string]int32
}

// config is tokenizer_config.json.
type config struct {
	Class  string               `json:"tokenizer_class"`
	Pad    tokenName            `json:"pad_token"`
	BOS    tokenName            `json:"bos_token"`
	EOS    tokenName            `json:"eos_token"`
	AddBOS *bool                `json:"add_bos_token"`
	AddEOS *bool                `json:"add_eos_token"`
	Added  map[int32]addedToken `json:"added_tokens_decoder"`
}

// tokenName is the text of a special token, which files give alone or in an object.
type tokenName string

func (n *tokenName) UnmarshalJSON(data []byte) error {
	var object struct{ Content string }
	if err := json.Unmarshal(data, (*string)(n)); err == nil {
		return nil
	}
	err := json.Unmarshal(data, &object)
	*n = tokenName(object.Content)
	return err
}

// loadFast reads tokenizer.json, and what lies beside it.
func loadFast(path string) (*Tokenizer, error) {
	data, err := files.Read(path, maxVocabulary)
	if err != nil {
		return nil, err
	}
	t, err := readFast(data, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// readFast reads the contents of a tokenizer.json that lies in dir.
func readFast(data []byte, dir string) (*Tokenizer, error) {
	var f fastFile
	if err := json.Unmarshal(trimBOM(data), &f); err != nil {
		return nil, err
	}
	if f.Model.Type == "BPE" && f.Model.Suffix == wordEnd {
		return f.clip()
	}
	p := &pipeline{}
	var around *template
	for _, part := range []struct {
		text json.RawMessage
		to   any
	}{{f.Normal, &p.normal}, {f.Splitting, &p.splitting}, {f.Around, &around}} {
		if len(part.text) > 0 {
			if err := json.Unmarshal(part.text, part.to); err != nil {
				return nil, err
			}
		}
	}
	t := &Tokenizer{model: p, start: -1, end: -1}
	ids, err := f.Model.build(p)
	if err != nil {
		return nil, err
	}
	if err := t.setPieces(ids, spellPiece); err != nil {
		return nil, err
	}
	for _, a := range f.Added {
		if err := t.addPiece(a); err != nil {
			return nil, err
		}
		ids[a.Content] = a.ID
		if a.Normalized {
			a.Content = p.normal.apply(a.Content)
			p.added.add(a)
		} else {
			t.added.add(a)
		}
	}
	return t, t.surround(around, ids, dir)
}

// clip is the tokenizer of a file with CLIP's byte-level BPE. What it says of cleaning and splitting is CLIP's own way.
func (f *fastFile) clip() (*Tokenizer, error) {
	ids, err := f.Model.ids()
	if err != nil {
		return nil, err
	}
	for _, a := range f.Added {
		if a.Content == startOfText || a.Content == endOfText {
			ids[a.Content] = a.ID
		}
	}
	t, err := buildTokenizer(ids, f.Model.Merges)
	if err != nil {
		return nil, err
	}
	return t, t.addToCLIP(f.Added)
}

// ids reads a vocabulary of ids by token.
func (m *fastModel) ids() (map[string]int32, error) {
	ids := map[string]int32{}
	if err := json.Unmarshal(m.Vocab, &ids); err != nil || len(ids) == 0 {
		return nil, fmt.Errorf("the vocabulary of a BPE is no list of ids by token (%v)", err)
	}
	return ids, nil
}

// build makes p's model and gives its ids by token.
func (m *fastModel) build(p *pipeline) (ids map[string]int32, err error) {
	switch m.Type {
	case "Unigram":
		var vocab []scoredPiece
		if err := json.Unmarshal(m.Vocab, &vocab); err != nil {
			return nil, err
		}
		if m.ByteFallback {
			return nil, fmt.Errorf("a unigram model with byte_fallback is not supported")
		}
		u, err := newUnigram(vocab, m.UnkID)
		if err != nil {
			return nil, err
		}
		p.model = u
		ids := make(map[string]int32, len(vocab))
		for text, id := range u.ids {
			ids[text] = id
		}
		return ids, nil
	case "BPE":
		if m.vocab, err = m.ids(); err != nil {
			return nil, err
		}
		p.model, err = newCharBPE(m)
		return m.vocab, err
	}
	return nil, fmt.Errorf("a tokenizer of type %q is not supported: ovbench reads CLIP's BPE, SentencePiece's BPE and "+
		"Unigram", m.Type)
}

// spellPiece is what a token of SentencePiece stands for.
func spellPiece(token string) string {
	var b byte
	if n, err := fmt.Sscanf(token, "<0x%02X>", &b); err == nil && n == 1 && len(token) == len("<0x00>") {
		return string([]byte{b})
	}
	return strings.ReplaceAll(token, "▁", " ")
}

// surround finds the special tokens: around a text by the template, unless tokenizer_config.json asks for others;
// behind it by the same file; and the cleaning that belongs to the library the files are of.
func (t *Tokenizer) surround(around *template, ids map[string]int32, dir string) error {
	var c config
	if err := readBeside(dir, ConfigFile, &c); err != nil {
		return err
	}
	if around != nil {
		t.start, t.end = around.start, around.end
	}
	for _, special := range []struct {
		wanted *bool
		name   tokenName
		id     *int32
	}{{c.AddBOS, c.BOS, &t.start}, {c.AddEOS, c.EOS, &t.end}} {
		switch id, ok := ids[string(special.name)]; {
		case special.wanted == nil:
		case !*special.wanted:
			*special.id = -1
		case !ok:
			return fmt.Errorf("%s: token %.60q is not in the vocabulary", ConfigFile, special.name)
		default:
			*special.id = id
		}
	}
	if t.end < 0 {
		return fmt.Errorf("no token ends a text: want a TemplateProcessing with one, or add_eos_token in %s", ConfigFile)
	}
	for _, id := range []int32{t.start, t.end} {
		if int(id) >= len(t.pieces) {
			return fmt.Errorf("special token %d is not in the vocabulary", id)
		}
	}
	// SigLIP pads with the end; so do its files that do not say so.
	t.padding = t.end
	if id, ok := ids[string(c.Pad)]; ok && c.Pad != "" {
		t.padding = id
	} else if id, ok := ids["<pad>"]; ok && !(t.start < 0 && t.end == 1 && id == 0 && isUnigram(t.model)) {
		t.padding = id
	}
	var err error
	t.cleaning, err = cleaningOf(c.Class, dir)
	return err
}

func isUnigram(m model) bool {
	p, ok := m.(*pipeline)
	if ok {
		_, ok = p.model.(*unigram)
	}
	return ok
}

// cleaningOf is what the library that wrote the files does to a text first.
func cleaningOf(class, dir string) (Cleaning, error) {
	var open struct {
		Model *struct {
			Text struct {
				Kwargs struct {
					Clean string `json:"clean"`
				} `json:"tokenizer_kwargs"`
			} `json:"text_cfg"`
		} `json:"model_cfg"`
	}
	var hugging struct {
		Type string `json:"model_type"`
	}
	if err := readBeside(dir, "config.json", &hugging); err != nil {
		return "", err
	}
	if err := readBeside(dir, "open_clip_config.json", &open); err != nil {
		return "", err
	}
	if open.Model != nil && hugging.Type == "" {
		switch c := Cleaning(open.Model.Text.Kwargs.Clean); c {
		case "":
			return CleanWhitespace, nil
		case CleanLower, CleanCanonicalize, CleanWhitespace:
			return c, nil
		default:
			return "", fmt.Errorf("open_clip_config.json: cleaning %q is not supported", c)
		}
	}
	switch {
	case class == "SiglipTokenizer":
		return CleanSigLIP, nil
	case strings.HasPrefix(class, "Gemma"), strings.HasPrefix(class, "Siglip2"):
		return CleanLower, nil // of transformers' classes only the second does it, but SigLIP 2 was trained on lower case
	}
	return CleanNone, nil
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
	if err := unmarshalPair(data, &p[0], &p[1]); err != nil {
		return fmt.Errorf("merge %.80s has no two parts", data)
	}
	return nil
}

// unmarshalPair reads a list of two values.
func unmarshalPair(data []byte, a, b any) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return fmt.Errorf("%d values are not two", len(parts))
	}
	if err := json.Unmarshal(parts[0], a); err != nil {
		return err
	}
	return json.Unmarshal(parts[1], b)
}
