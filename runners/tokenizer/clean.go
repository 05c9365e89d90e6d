package tokenizer

import (
	"html"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Cleaning is what a library does to a text before the tokenizer of tokenizer.json sees it. Libraries differ, and so do
// their ids: the name belongs into results.
type Cleaning string

// The cleanings in use.
const (
	CleanNone         Cleaning = ""             // of MetaCLIP 2; CLIP's own vocabulary has its cleaning built in
	CleanLower        Cleaning = "lower"        // lower case, as SigLIP 2 was trained
	CleanSigLIP       Cleaning = "siglip"       // of transformers' SigLIP: lower case, no ASCII punctuation, single blanks
	CleanCanonicalize Cleaning = "canonicalize" // of open_clip's SigLIP: the same, but "_" becomes a blank
	CleanWhitespace   Cleaning = "whitespace"   // of open_clip's other models: references resolved, single blanks
)

// apply cleans a text. Of open_clip's cleanings it leaves out ftfy.
func (c Cleaning) apply(text string) string {
	switch c {
	case CleanLower:
		return lowerText(text)
	case CleanSigLIP:
		return oneBlank(dropPunctuation(lowerText(text)))
	case CleanCanonicalize:
		text = strings.ReplaceAll(unescapeHTML(unescapeHTML(text)), "_", " ")
		return oneBlank(lowerText(dropPunctuation(text)))
	case CleanWhitespace:
		return oneBlank(unescapeHTML(unescapeHTML(text)))
	}
	return text
}

// oneBlank trims a text and makes a blank of each stretch of white space.
func oneBlank(text string) string { return strings.Join(strings.FieldsFunc(text, isPythonSpace), " ") }

// dropPunctuation takes out that of ASCII.
func dropPunctuation(text string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && !isAlphanumeric(byte(r)) {
			return -1
		}
		return r
	}, text)
}

// cleanText is a text ready to be split: repaired, HTML character references resolved twice, trimmed, in lower case.
// White space inside only separates words, so it may stay as it is.
func cleanText(text string) string {
	text = fixText(strings.ToValidUTF8(text, string(utf8.RuneError)))
	text = strings.TrimFunc(unescapeHTML(unescapeHTML(text)), isPythonSpace)
	return lowerText(text)
}

// isPythonSpace is str.isspace: white space in Unicode's sense and the four information separators.
func isPythonSpace(r rune) bool {
	return unicode.Is(unicode.White_Space, r) || r >= 0x1c && r <= 0x1f
}

// composeText is normalisation form C.
func composeText(s string) string { return compose(s, norm.NFC, norm.NFD) }

// compose is normalisation form C or KC, with the form that decomposes for it.
//
// Note: norm.NFC.String is not it. It makes "stream-safe text" of more than 30 marks on one letter by putting a
// U+034F between them, and it takes letters above U+FFFF for others: U+10054 U+0323 becomes Ṭ.
func compose(s string, composed, decomposed norm.Form) string {
	if composed.IsNormalString(s) {
		return s
	}
	var runes []rune
	for _, r := range s {
		runes = append(runes, []rune(decomposed.String(string(r)))...)
	}
	for i := 0; i < len(runes); i++ {
		j := i
		for j < len(runes) && combiningClass(runes[j]) != 0 {
			j++
		}
		slices.SortStableFunc(runes[i:j], func(a, b rune) int { return int(combiningClass(a)) - int(combiningClass(b)) })
		i = j
	}
	// Unicode Standard, D117: a character joins the last starter unless one of its own class or above stands between.
	out := runes[:0]
	starter, between := -1, -1 // between: the highest class after the starter, -1 for none
	for _, r := range runes {
		class := int(combiningClass(r))
		if starter >= 0 && between < class {
			if c, ok := composePair(out[starter], r); ok {
				out[starter] = c
				continue
			}
		}
		between = class
		if class == 0 {
			starter, between = len(out), -1
		}
		out = append(out, r)
	}
	return string(out)
}

// composePair is the character that decomposes into a and b.
func composePair(a, b rune) (c rune, ok bool) {
	s := norm.NFC.String(string([]rune{a, b}))
	c, size := utf8.DecodeRuneInString(s)
	return c, size == len(s) && norm.NFD.String(s) == norm.NFD.String(string(a))+string(b)
}

func combiningClass(r rune) uint8 {
	var b [utf8.UTFMax]byte
	return norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).CCC()
}

// lowerText is Python's str.lower: simple mappings, but for the dotted capital I and the sigma at the end of a word
// (Unicode's SpecialCasing.txt, without languages).
func lowerText(s string) string {
	if !strings.ContainsAny(s, "İΣ") {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for i, r := range s {
		switch r {
		case 'İ':
			b.WriteString("i\u0307")
		case 'Σ':
			if endsWord(s[:i], s[i+len("Σ"):]) {
				b.WriteRune('ς')
			} else {
				b.WriteRune('σ')
			}
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// endsWord is the condition Final_Sigma (Unicode Standard, table 3-17): a cased letter goes before, none comes after,
// and what is ignorable in case does not count.
func endsWord(before, after string) bool {
	before = strings.TrimRightFunc(before, caseIgnorable)
	after = strings.TrimLeftFunc(after, caseIgnorable)
	last, _ := utf8.DecodeLastRuneInString(before)
	first, _ := utf8.DecodeRuneInString(after)
	return cased(last) && !cased(first)
}

// cased and caseIgnorable are the properties of DerivedCoreProperties.txt, by their definitions in the Unicode
// Standard, D135 and D136.
func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

func caseIgnorable(r rune) bool {
	// The characters are those of Word_Break MidLetter, MidNumLet and Single_Quote.
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("':.·\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", r)
}

// unescapeHTML is Python's html.unescape. html.UnescapeString differs from it in number references, of which Python
// drops those to characters that are not valid in HTML, and lacks two names.
func unescapeHTML(s string) string {
	at := strings.IndexByte(s, '&')
	if at < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; at >= 0; at = strings.IndexByte(s, '&') {
		b.WriteString(s[:at])
		s = s[at:]
		text, n := reference(s)
		b.WriteString(text)
		s = s[n:]
	}
	b.WriteString(s)
	return b.String()
}

// reference reads the character reference that s begins with: its text, and the bytes it takes of s.
// The ampersand of no reference stands for itself.
func reference(s string) (text string, n int) {
	if strings.HasPrefix(s, "&#") {
		return numberReference(s)
	}
	n = 1
	for n < len(s) && n < 40 && isAlphanumeric(s[n]) { // the longest name has 31 letters
		n++
	}
	if n < len(s) && s[n] == ';' {
		// Every name stands for other characters than it has, and but for "semi" for none that is ";".
		if text := html.UnescapeString(s[:n+1]); !strings.HasSuffix(text, ";") || s[:n] == "&semi" {
			return text, n + 1
		}
		switch s[1:n] { // missing in package html
		case "nLt":
			return "≪\u20d2", n + 1
		case "nGt":
			return "≫\u20d2", n + 1
		}
	}
	// 106 old names, of 2 to 6 letters, need no semicolon; the longest one counts. Each stands for one character.
	for end := min(n, len("&brvbar")); end > 2; end-- {
		if text := html.UnescapeString(s[:end]); utf8.RuneCountInString(text) == 1 {
			return text, end
		}
	}
	return "&", 1
}

// numberReference reads a reference that begins with "&#".
func numberReference(s string) (text string, n int) {
	n, base := 2, rune(10)
	if n < len(s) && (s[n] == 'x' || s[n] == 'X') {
		n, base = 3, 16
	}
	digits := n
	var r rune
	for ; n < len(s); n++ {
		d := digit(s[n])
		if d >= base {
			break
		}
		r = min(r*base+d, unicode.MaxRune+1)
	}
	if n == digits {
		return "&", 1
	}
	if n < len(s) && s[n] == ';' {
		n++
	}
	return referenced(r), n
}

// referenced is the character that a number refers to in HTML 5 (section 13.2.5.80), or "" for one that is not valid.
func referenced(r rune) string {
	switch {
	case r == 0, r >= 0xd800 && r <= 0xdfff, r > unicode.MaxRune:
		return string(utf8.RuneError)
	case r >= 0x80 && r <= 0x9f:
		return string(windows1252[r-0x80])
	case r < 0x20 && r != '\t' && r != '\n' && r != '\f' && r != '\r', r == 0x7f, r >= 0xfdd0 &&
		r <= 0xfdef, r&0xfffe == 0xfffe:
		return ""
	}
	return string(r)
}

// windows1252 are the characters from 0x80 on, as browsers read their numbers.
var windows1252 = []rune("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ")

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// digit is the value of a hexadecimal digit, or 16.
func digit(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c - 'a' + 10)
	case c >= 'A' && c <= 'F':
		return rune(c - 'A' + 10)
	}
	return 16
}
