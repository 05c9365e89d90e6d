package tokenizer

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// pipeline is what tokenizer.json makes of a stretch of text: normalised, freed of added tokens, split into words, each
// cut by the model.
type pipeline struct {
	normal    *normalizer
	added     addedTokens // looked for in normalised text
	splitting *splitter
	model     model
}

func (p *pipeline) appendIDs(ids []int32, text string, first bool) []int32 {
	p.added.split(p.normal.apply(text), func(stretch string, id int32) {
		if id >= 0 {
			ids = append(ids, id)
		} else {
			for _, word := range p.splitting.split(stretch, first) {
				ids = p.model.appendIDs(ids, word, first)
			}
		}
		first = false
	})
	return ids
}

// maxNormalised bounds a normalised text in bytes: replacements that feed each other must not fill memory.
const maxNormalised = 16 * MaxText

// normalizer is one step of tokenizer.json's normalisation, or a list of them. Nil changes nothing.
type normalizer struct {
	Type    string       `json:"type"`
	Steps   []normalizer `json:"normalizers"`
	Map     charMap      `json:"precompiled_charsmap"`
	Left    bool         `json:"strip_left"`
	Right   bool         `json:"strip_right"`
	Pattern pattern      `json:"pattern"`
	Content string       `json:"content"`
	Prepend string       `json:"prepend"`
}

func (n *normalizer) UnmarshalJSON(data []byte) error {
	type plain normalizer
	if err := json.Unmarshal(data, (*plain)(n)); err != nil {
		return err
	}
	switch n.Type {
	case "Sequence", "Precompiled", "Lowercase", "Strip", "Prepend", "NFC", "NFKC":
	case "Replace":
		if n.Pattern.expression == nil {
			return fmt.Errorf("normalizer Replace has no pattern")
		}
	default:
		return fmt.Errorf("normalizer %q is not supported", n.Type)
	}
	if len(n.Content) > maxPiece || len(n.Prepend) > maxPiece || len(n.Steps) > 64 {
		return fmt.Errorf("normalizer %s is larger than any known", n.Type)
	}
	return nil
}

func (n *normalizer) apply(s string) string {
	if n == nil || s == "" || len(s) > maxNormalised {
		return s
	}
	switch n.Type {
	case "Sequence":
		for i := range n.Steps {
			s = n.Steps[i].apply(s)
		}
	case "Precompiled":
		s = n.Map.apply(s)
	case "Lowercase":
		s = strings.ReplaceAll(s, "İ", "i\u0307") // no other letter becomes two; a final sigma is one as any other
		s = strings.Map(unicode.ToLower, s)
	case "Strip":
		if n.Left {
			s = strings.TrimLeftFunc(s, unicode.IsSpace)
		}
		if n.Right {
			s = strings.TrimRightFunc(s, unicode.IsSpace)
		}
	case "Replace":
		s = n.Pattern.expression.ReplaceAllLiteralString(s, n.Content)
	case "Prepend":
		s = n.Prepend + s
	case "NFC":
		s = composeText(s)
	case "NFKC":
		s = compose(s, norm.NFKC, norm.NFKD)
	}
	return s
}

// pattern is a text, or one of the simple expressions that mean the same in Go as in Hugging Face's tokenizers: white
// space, a character or a class, maybe repeated.
type pattern struct {
	expression *regexp.Regexp
	text       string
}

var simplePattern = regexp.MustCompile(`^(\\s|[^][\\(){}.*+?^$|]|\[(\\[^a-zA-Z0-9]|[^][\\^])+\])(\+|\{\d{1,2},(\d{1,2})?\})?$`)

func (p *pattern) UnmarshalJSON(data []byte) error {
	var given struct {
		String *string
		Regex  *string
	}
	if err := json.Unmarshal(data, &given); err != nil {
		return err
	}
	switch {
	case given.String != nil && *given.String != "":
		p.text = *given.String
		p.expression = regexp.MustCompile(regexp.QuoteMeta(p.text))
		return nil
	case given.Regex == nil || !simplePattern.MatchString(*given.Regex):
		return fmt.Errorf("pattern %.80s is not supported", data)
	}
	// \s is white space in Unicode's sense there, in ASCII's here.
	text := *given.Regex
	if rest, ok := strings.CutPrefix(text, `\s`); ok {
		text = `[\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]` + rest
	}
	var err error
	p.expression, err = regexp.Compile(text)
	return err
}

// splitter is one step of tokenizer.json's splitting into words, or a list of them. Nil makes one word.
type splitter struct {
	Type        string     `json:"type"`
	Steps       []splitter `json:"pretokenizers"`
	Pattern     pattern    `json:"pattern"`
	Behavior    string     `json:"behavior"`
	Invert      bool       `json:"invert"`
	Replacement string     `json:"replacement"`
	Scheme      string     `json:"prepend_scheme"`
	AddPrefix   *bool      `json:"add_prefix_space"` // in place of the scheme, in older files
	Split       *bool      `json:"split"`
}

func (p *splitter) UnmarshalJSON(data []byte) error {
	type plain splitter
	if err := json.Unmarshal(data, (*plain)(p)); err != nil {
		return err
	}
	switch p.Type {
	case "Sequence", "WhitespaceSplit":
	case "Split":
		if p.Behavior != "MergedWithPrevious" || p.Invert || p.Pattern.text == "" {
			return fmt.Errorf("pre_tokenizer Split with behaviour %q is not supported", p.Behavior)
		}
	case "Metaspace":
		if p.Scheme == "" {
			p.Scheme = "always"
			if p.AddPrefix != nil && !*p.AddPrefix {
				p.Scheme = "never"
			}
		}
		if p.Replacement == "" || p.Scheme != "always" && p.Scheme != "first" && p.Scheme != "never" {
			return fmt.Errorf("pre_tokenizer Metaspace with replacement %q and scheme %q is not supported", p.Replacement,
				p.Scheme)
		}
	default:
		return fmt.Errorf("pre_tokenizer %q is not supported", p.Type)
	}
	if len(p.Steps) > 64 || len(p.Replacement) > 16 {
		return fmt.Errorf("pre_tokenizer %s is larger than any known", p.Type)
	}
	return nil
}

// split cuts a stretch into words, none of them empty. first says that the stretch begins the text.
func (p *splitter) split(stretch string, first bool) []string {
	if p == nil {
		return []string{stretch}
	}
	switch p.Type {
	case "Sequence":
		words := []string{stretch}
		for i := range p.Steps {
			var next []string
			for k, w := range words {
				next = append(next, p.Steps[i].split(w, first && k == 0)...)
			}
			words = next
		}
		return words
	case "WhitespaceSplit":
		return strings.FieldsFunc(stretch, unicode.IsSpace)
	case "Split":
		return notEmpty(strings.SplitAfter(stretch, p.Pattern.text))
	}
	s := strings.ReplaceAll(stretch, " ", p.Replacement)
	if (p.Scheme == "always" || p.Scheme == "first" && first) && s != "" && !strings.HasPrefix(s, p.Replacement) {
		s = p.Replacement + s
	}
	if p.Split != nil && !*p.Split {
		return notEmpty([]string{s})
	}
	words := strings.Split(s, p.Replacement)
	for i := 1; i < len(words); i++ {
		words[i] = p.Replacement + words[i]
	}
	return notEmpty(words)
}

func notEmpty(words []string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

// template is what tokenizer.json puts around a text: at most one token before it, and one behind.
type template struct{ start, end int32 }

func (t *template) UnmarshalJSON(data []byte) error {
	var file struct {
		Type   string `json:"type"`
		Single []struct {
			Special  *struct{ ID string } `json:"SpecialToken"`
			Sequence *struct{ ID string }
		} `json:"single"`
		Tokens map[string]struct {
			IDs []int32 `json:"ids"`
		} `json:"special_tokens"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	if file.Type != "TemplateProcessing" {
		return fmt.Errorf("post_processor %q is not supported", file.Type)
	}
	t.start, t.end = -1, -1
	at := &t.start
	for _, part := range file.Single {
		if part.Special == nil {
			at = &t.end
			continue
		}
		ids := file.Tokens[part.Special.ID].IDs
		if len(ids) != 1 || ids[0] < 0 || *at >= 0 {
			return fmt.Errorf("post_processor puts more than one token on a side of the text, or %.60q, which it does not "+
				"define", part.Special.ID)
		}
		*at = ids[0]
	}
	return nil
}
