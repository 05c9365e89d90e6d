package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// fixText is ftfy.fix_text (ftfy 6.3), which OpenAI's and open_clip's tokenizers run first, but for one of its repairs:
// text that was decoded wrongly ("cafÃ©") stays as it is. Line by line, until nothing changes, it resolves character
// references, reads C1 control characters as Windows-1252, spells out ligatures, gives full- and half-width forms their
// usual width, straightens quotes and line breaks, drops escape sequences and control characters, and composes (NFC).
func fixText(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	unescape := true
	for line := range strings.SplitAfterSeq(text, "\n") {
		// A line that looks like markup keeps its references, and so do those behind it.
		unescape = unescape && !strings.Contains(line, "<")
		for {
			fixed := line
			if unescape {
				fixed = fixReferences(fixed)
			}
			fixed = composeText(dropControls(dropEscapes(fixCharacters(fixed))))
			if fixed == line {
				break
			}
			line = fixed
		}
		b.WriteString(line)
	}
	return b.String()
}

// isPlain reports whether nothing of text can need a repair.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c >= 0x7f || c == '&' || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// ligatures are Latin ones and digraphs with what they spell; others, as æ, are letters.
var ligatures = map[rune]string{
	'Ĳ': "IJ", 'ĳ': "ij", 'ŉ': "ʼn", 'Ǳ': "DZ", 'ǲ': "Dz", 'ǳ': "dz", 'Ǆ': "DŽ", 'ǅ': "Dž", 'ǆ': "dž", 'Ǉ': "LJ",
	'ǈ': "Lj", 'ǉ': "lj",
	'Ǌ': "NJ", 'ǋ': "Nj", 'ǌ': "nj", 'ﬀ': "ff", 'ﬁ': "fi", 'ﬂ': "fl", 'ﬃ': "ffi", 'ﬄ': "ffl", 'ﬅ': "ſt", 'ﬆ': "st",
}

// fixCharacters makes the repairs of single characters.
func fixCharacters(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r >= 0x80 && r <= 0x9f && r != 0x85 {
			r = windows1252[r-0x80]
		} else if r == 0x85 {
			r = '…'
		}
		switch {
		case r == '\r':
			if !strings.HasPrefix(s[i+1:], "\n") {
				b.WriteByte('\n')
			}
		case r == '\u2028' || r == '\u2029':
			b.WriteByte('\n')
		case r == '\u3000':
			b.WriteByte(' ')
		case r >= '\uff01' && r <= '\uffef':
			b.WriteString(norm.NFKC.String(string(r)))
		case r == '\u02bc' || r >= '\u2018' && r <= '\u201b':
			b.WriteByte('\'')
		case r >= '\u201c' && r <= '\u201f':
			b.WriteByte('"')
		case ligatures[r] != "":
			b.WriteString(ligatures[r])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// dropEscapes takes out what colours text on terminals: ESC, "[", digits and semicolons, a letter.
func dropEscapes(s string) string {
	var b strings.Builder
	for {
		at := strings.Index(s, "\x1b[")
		if at < 0 {
			b.WriteString(s)
			return b.String()
		}
		rest := strings.TrimLeftFunc(s[at+2:], func(r rune) bool { return r == ';' || unicode.Is(unicode.Nd, r) })
		if rest != "" && (rest[0] >= 'a' && rest[0] <= 'z' || rest[0] >= 'A' && rest[0] <= 'Z') {
			b.WriteString(s[:at])
			s = rest[1:]
		} else {
			b.WriteString(s[:at+2])
			s = s[at+2:]
		}
	}
}

// dropControls takes out control characters but white space, deprecated format characters, annotations and the byte
// order mark.
func dropControls(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x09, r == 0x0b, r >= 0x0e && r < 0x20, r == 0x7f, r >= 0x206a && r <= 0x206f, r == 0xfeff, r >= 0xfff9 &&
			r <= 0xfffc:
			return -1
		}
		return r
	}, s)
}

// fixReferences resolves character references that end with a semicolon, those in capitals that HTML does not know too.
func fixReferences(s string) string {
	var b strings.Builder
	for {
		at := strings.IndexByte(s, '&')
		if at < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:at])
		s = s[at:]
		n := 1
		if strings.HasPrefix(s, "&#") {
			n = 2
		}
		start := n
		for n < len(s) && n-start < 24 && isAlphanumeric(s[n]) {
			n++
		}
		if n == start || n == len(s) || s[n] != ';' {
			b.WriteByte('&')
			s = s[1:]
			continue
		}
		n++
		b.WriteString(fixReference(s[:n]))
		s = s[n:]
	}
}

// fixReference is what "&name;" stands for, or itself.
func fixReference(s string) string {
	if text, n := reference(s); n == len(s) {
		if strings.HasPrefix(s, "&#") && strings.Contains(text, ";") {
			return s
		}
		return text
	}
	lower := strings.ToLower(s)
	if strings.HasPrefix(s, "&#") || s != strings.ToUpper(s) || unescapeHTML(s) != s {
		return s
	}
	if text, n := reference(lower); n == len(lower) && utf8.RuneCountInString(text) > 0 {
		return cases.Upper(language.Und).String(text)
	}
	return s
}
