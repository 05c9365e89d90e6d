package datasets

import (
	"encoding/csv"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
)

// A classList is what a list of classes of one's own says.
type classList struct {
	queries [][]string
	colours labelmap.Colours // of labels; nil but in a table of colours
	notes   []string         // how lines were read that are no plain names
}

// Lines that are no plain names.
var (
	numberedLine = regexp.MustCompile(`^(?i:class|label|id)?[ _#-]?[\[(]?0*(\d+)(\s*[:=.,;)\]\t -])\s*(\S.*)$`)
	numberBehind = regexp.MustCompile(`^(.*[^\s\d([])\s*[:=,;\t (\[]\s*0*(\d+)[)\]]?$`)
	synsetLine   = regexp.MustCompile(`^n\d{8}[\s,:]+(\S.*)$`)
	yamlLine     = regexp.MustCompile(`^(names|nc)\s*:(\s|$)`)
	quotedLine   = regexp.MustCompile(`^(?:"([^"]+)"|'([^']+)'),?$`)
	tableLine    = regexp.MustCompile(`^[^,:]*[,:]\s*\d+\s*,\s*\d+\s*,\s*\d+\s*(?:$|[,:])`)
	voidComment  = regexp.MustCompile(`(?i)^#\s*_*(void|background|bg|unlabell?ed|ignored?|unknown|others?|none)_*$`)
)

// readClassList reads a file with one class per line, in the format of [QueriesOf]. Lines may all be in quotes, and all
// be numbered by the stored values of their classes, of which first is that of the first class: negative if 0 and 1 both
// are right. A table of names and colours is read as such.
func readClassList(name string, first int) (c classList, err error) {
	lines, err := files.Lines(name)
	if err != nil {
		return c, err
	}
	if rows := textLines(lines); len(rows) > 0 && tableLine.MatchString(lines[rows[len(rows)-1]]) {
		return readColourTable(name)
	}
	for i, line := range lines {
		if voidComment.MatchString(line) {
			return c, fmt.Errorf("%s:%d: %q is a comment here, so that the next line is class %d; if it is a class "+
				"of its own, take the # away, else remove the line", name, i+1, line, max(first, 0))
		}
	}
	if lines, err = c.plain(name, lines, first); err != nil {
		return c, err
	}
	c.queries, err = parseQueries(name, lines)
	return c, err
}

// textLines are the indices of lines that are not empty and no comments.
func textLines(lines []string) (rows []int) {
	for i, line := range lines {
		if line != "" && line[0] != '#' {
			rows = append(rows, i)
		}
	}
	return rows
}

// plain takes numbers and quotes off the lines.
func (c *classList) plain(name string, lines []string, first int) ([]string, error) {
	if len(textLines(lines)) > 0 && lines[textLines(lines)[0]] == labelmeIgnore {
		lines = slices.Clone(lines)
		lines[textLines(lines)[0]] = "#"
		c.notes = append(c.notes,
			fmt.Sprintf("%s of %s is no class, as in labelme: it is stored as 255", labelmeIgnore, name))
	}
	rows := textLines(lines)
	for _, i := range rows {
		if r := strings.IndexFunc(lines[i], invisible); r >= 0 {
			return nil, fmt.Errorf("%s:%d: %q has the invisible character %U, which a model reads too; delete it", name, i+1,
				lines[i], []rune(lines[i][r:])[0])
		}
	}
	lines = withoutCommas(lines, rows)
	numbered := areNumbered(lines, rows)
	if kind := otherNotation(lines, rows); kind != "" && !numbered {
		return nil, fmt.Errorf("%s:%d: a list as %s writes it; want one name a line, and nothing else", name, rows[0]+1, kind)
	}
	out := slices.Clone(lines)
	if first < 0 {
		first = 0
		if numbered && numberedLine.FindStringSubmatch(lines[rows[0]])[1] == "1" {
			first = 1
		}
	}
	for k, i := range rows {
		if !numbered {
			break
		}
		m := numberedLine.FindStringSubmatch(lines[i])
		if n, err := strconv.Atoi(m[1]); err != nil || n != first+k {
			return nil, numberingError(name, lines, rows, i, m[1], first+k)
		}
		out[i] = m[3]
	}
	if !numbered && areNumberedBehind(lines, rows, first) {
		numbered = true
		for _, i := range rows {
			out[i] = numberBehind.FindStringSubmatch(lines[i])[1]
		}
	}
	switch all := allMatch(lines, rows); {
	case numbered:
	case all(synsetLine):
		for _, i := range rows {
			out[i] = synsetLine.FindStringSubmatch(lines[i])[1]
		}
		c.notes = append(c.notes, fmt.Sprintf("the WordNet ids of lines of %s are taken off", name))
	case len(rows) > 1 && all(numberedLine):
		return nil, fmt.Errorf("%s:%d: every line begins with a number, which is not that of its class; take the numbers "+
			"off, or put names that have one in quotes", name, rows[0]+1)
	}
	if numbered {
		c.notes = append(c.notes, fmt.Sprintf("the numbers of lines of %s are taken off: they are those of the classes",
			name))
	}
	for _, i := range rows {
		if m := quotedLine.FindStringSubmatch(out[i]); m != nil {
			out[i] = m[1] + m[2]
		}
		switch {
		case strings.Contains(out[i], "\t"):
			return nil, fmt.Errorf("%s:%d: %q has a tab, as lines of a table have; want one name a line", name, i+1,
				out[i])
		case strings.ContainsAny(out[i][:1], `"'`) || strings.HasSuffix(out[i], `"`):
			return nil, fmt.Errorf("%s:%d: %q begins or ends with a quotation mark; want the name alone", name, i+1,
				out[i])
		}
	}
	return out, nil
}

// invisible says whether a character is a control or format character that nobody sees in a list. Those that join
// letters belong to some scripts.
func invisible(r rune) bool {
	return r != '\t' && r != '\u200c' && r != '\u200d' && unicode.In(r, unicode.Cc, unicode.Cf)
}

// withoutCommas takes the commas off that end all lines but perhaps the last.
func withoutCommas(lines []string, rows []int) []string {
	plain := func(i int) bool { return !strings.HasSuffix(lines[i], ",") }
	if len(rows) < 2 || slices.ContainsFunc(rows[:len(rows)-1], plain) {
		return lines
	}
	out := slices.Clone(lines)
	for _, i := range rows {
		out[i] = strings.TrimSpace(strings.TrimSuffix(out[i], ","))
	}
	return out
}

// allMatch tells whether all lines are of a kind.
func allMatch(lines []string, rows []int) func(*regexp.Regexp) bool {
	return func(kind *regexp.Regexp) bool {
		return !slices.ContainsFunc(rows, func(i int) bool { return !kind.MatchString(lines[i]) })
	}
}

// labelmeIgnore begins lists of labelme.
const labelmeIgnore = "__ignore__"

// otherNotation names the notation of a list that is not one name a line, "" for none.
func otherNotation(lines []string, rows []int) string {
	if len(rows) == 0 {
		return ""
	}
	all := func(begins string) bool {
		return !slices.ContainsFunc(rows[1:], func(i int) bool { return !strings.HasPrefix(lines[i], begins) })
	}
	switch begin := lines[rows[0]]; {
	case begin == "[" || begin == "{" || strings.HasPrefix(begin, "['") || strings.HasPrefix(begin, `["`) ||
		strings.HasPrefix(begin, `{"`) || strings.HasPrefix(begin, "{'"):
		return "JSON or Python"
	case slices.ContainsFunc(rows, func(i int) bool { return yamlLine.MatchString(lines[i]) }) || begin == "---" ||
		strings.HasPrefix(begin, "- ") && all("- "):
		return "YAML"
	case strings.HasPrefix(begin, "* ") && all("* "):
		return "Markdown"
	case len(rows) == 1 && strings.Count(begin, ",") > 1, isSheet(lines, rows):
		return "a spreadsheet"
	}
	return ""
}

// isSheet says whether lines are rows of as many cells, with numbers in a column below its head.
func isSheet(lines []string, rows []int) bool {
	var numeric []bool
	for k, i := range rows {
		cells := strings.Split(lines[i], ",")
		if k == 0 {
			numeric = slices.Repeat([]bool{len(cells) > 1 && len(rows) > 1}, len(cells))
			continue
		}
		if len(cells) != len(numeric) {
			return false
		}
		for j, cell := range cells {
			_, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
			numeric[j] = numeric[j] && err == nil
		}
	}
	return slices.Contains(numeric, true)
}

// areNumberedBehind is areNumbered for numbers behind the names. All must be right, and the names differ without them:
// "class 0" is a name.
func areNumberedBehind(lines []string, rows []int, first int) bool {
	names := make(map[string]bool)
	for k, i := range rows {
		m := numberBehind.FindStringSubmatch(lines[i])
		if m == nil || m[2] != strconv.Itoa(first+k) || names[m[1]] {
			return false
		}
		names[m[1]] = true
	}
	return len(rows) > 1
}

// areNumbered tells numbers of lines from names that begin with one, such as "2 wheeler": behind numbers stands a colon
// or the like, or they begin with 0 or 1.
func areNumbered(lines []string, rows []int) bool {
	for k, i := range rows {
		m := numberedLine.FindStringSubmatch(lines[i])
		if m == nil || k == 0 && m[1] != "0" && m[1] != "1" && !strings.ContainsAny(m[2], ":=]\t") {
			return false
		}
	}
	return len(rows) > 0
}

// numberingError explains a number that is not its line's.
func numberingError(name string, lines []string, rows []int, i int, number string, want int) error {
	if i == rows[0] && number == "1" && want == 0 {
		return fmt.Errorf("%s:%d: lines are numbered from 1, but label maps are read from 0; if the maps store 1 "+
			"for the first class, say reduce_zero_label: true, else number from 0 or take the numbers off", name, i+1)
	}
	return fmt.Errorf("%s:%d: %q is numbered %s, want %d, the stored value of its class; the lines must be in the "+
		"order of values without gaps", name, i+1, lines[i], number, want)
}

// colourTables are the files beside images and labels that say what colours mean: CVAT's, and that of many road data
// sets.
var colourTables = []string{"labelmap.txt", "class_dict.csv"}

// readColourTable reads lines "name:r,g,b:parts:actions", as CVAT writes them, or "name,r,g,b" with or without a
// header.
func readColourTable(name string) (c classList, err error) {
	lines, err := files.Lines(name)
	if err != nil {
		return c, err
	}
	c.colours = make(labelmap.Colours)
	for k, i := range textLines(lines) {
		class, colour, err := colourRow(lines[i])
		if err != nil && k == 0 && !strings.ContainsAny(lines[i], "0123456789") {
			continue // the header
		}
		if err != nil {
			return c, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		if other, ok := c.colours[colour]; ok {
			return c, fmt.Errorf("%s:%d: %q has the colour of %q; give each class its own", name, i+1, class,
				c.queries[other][0])
		}
		c.colours[colour] = uint16(len(c.queries))
		c.queries = append(c.queries, []string{class})
	}
	if len(c.queries) == 0 {
		return c, fmt.Errorf("%s: no line of a name and a colour", name)
	}
	c.notes = []string{fmt.Sprintf("%s is a table of colours: label maps in colours are read by it", name)}
	return c, nil
}

func colourRow(line string) (class string, colour [3]uint8, err error) {
	parts := strings.SplitN(line, ":", 3)
	if len(parts) > 1 {
		parts = append(parts[:1], strings.Split(parts[1], ",")...)
	} else if parts, err = csv.NewReader(strings.NewReader(line)).Read(); err != nil {
		return "", colour, err
	}
	if len(parts) < 4 {
		return "", colour, fmt.Errorf("%q, want a name and red, green, blue", line)
	}
	for k := range colour {
		v, err := strconv.ParseUint(strings.TrimSpace(parts[k+1]), 10, 8)
		if err != nil {
			return "", colour, fmt.Errorf("%q: %q is no colour, want 0 to 255", line, parts[k+1])
		}
		colour[k] = uint8(v)
	}
	if class = strings.TrimSpace(parts[0]); class == "" {
		return "", colour, fmt.Errorf("%q has no name", line)
	}
	return class, colour, nil
}

// readColours finds the table of colours, and gives colours the stored values of classes. Those of the table's other
// names are not scored.
func (d *folder) readColours() error {
	table := classList{queries: d.queries, colours: d.colours}
	for _, name := range colourTables {
		p := d.path("", name)
		if st, err := os.Stat(p); table.colours == nil && err == nil && st.Mode().IsRegular() {
			if table, err = readColourTable(p); err != nil {
				return err
			}
			d.info.Notes = append(d.info.Notes, table.notes...)
		}
	}
	if table.colours == nil {
		return nil
	}
	d.colours = make(labelmap.Colours)
	missing := slices.Clone(d.info.Classes)
	for colour, k := range table.colours {
		name := table.queries[k][0]
		same := func(class string) bool { return strings.EqualFold(class, name) }
		d.colours[colour] = d.void()
		if class := slices.IndexFunc(d.info.Classes, same); class >= 0 {
			d.colours[colour] = uint16(d.first() + class)
		}
		missing = slices.DeleteFunc(missing, same)
	}
	if len(missing) == len(d.info.Classes) {
		return fmt.Errorf("the table of colours has none of the classes; its first is %q, the list's %q",
			table.queries[0][0], missing[0])
	}
	if len(missing) > 0 {
		return fmt.Errorf("the table of colours has no colour for %q; give every class one", missing)
	}
	return nil
}

// void is a stored value that is not scored.
func (d *folder) void() uint16 {
	if d.options.Ignore != 0 {
		return uint16(d.options.Ignore)
	}
	return labelmap.Ignore
}

// SharedQueries says that classes have a text in common, "" if none have: the first of them wins every tie.
func SharedQueries(classes []string, queries [][]string) string {
	first := make(map[string]int)
	note, pairs := "", 0
	for class, texts := range queries {
		for _, text := range texts {
			key := strings.ToLower(strings.Join(strings.Fields(text), " "))
			other, ok := first[key]
			if !ok {
				first[key] = class
			}
			if !ok || other == class {
				continue
			}
			if pairs++; pairs == 1 {
				note = fmt.Sprintf("classes %q and %q have the text %q in common: no pixel can be told apart by it",
					classes[other],
					classes[class], text)
			}
		}
	}
	if pairs > 1 {
		note += fmt.Sprintf(" (and %d more)", pairs-1)
	}
	return note
}
