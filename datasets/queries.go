package datasets

import (
	"embed"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// classFiles holds classes/<data set>.<query set>.txt in the format of [QueriesOf].
//
//go:embed classes/*.txt
var classFiles embed.FS

// plain is the query set every data set has: its official names, written as English words
// ("dining table", not "diningtable"), one per class, background as "background".
const plain = "plain"

// QueriesOf lists the words that stand for each class of a data set: element i holds the
// queries of label i, at least one. set is a name of [QuerySets], "" for plain, or the path of a
// file (anything with a path separator or ending in .txt).
//
// A file has one line per class, in label order, which may be numbered. Queries of a class are separated by "|"; blanks
// around them, byte-order mark, carriage returns and lines that begin with '#' do not count. A
// file with another separator names it in a comment of its own: # separator: ", "
// A line with commas or semicolons but no '|' is refused unless the file names its separator,
// because loaders in circulation disagree on whether "a, b" is one query or two.
func QueriesOf(ds Dataset, set string) ([][]string, error) {
	info := ds.Info()
	if own, ok := ds.(interface{ plainQueries() [][]string }); ok && !isFile(set) {
		if set != "" && set != plain {
			return nil, fmt.Errorf("%s brings words of its own, so there is no query set %q of it: set protocol.queries to "+
				"plain, or to the path of a .txt file", info.Name, set)
		}
		return own.plainQueries(), nil
	}
	return queries(info.Name, set, len(info.Classes))
}

// isFile reports whether a query set is the path of a file.
func isFile(set string) bool { return strings.ContainsAny(set, `/\`) || strings.HasSuffix(set, ".txt") }

func queries(dataset, set string, classes int) ([][]string, error) {
	if set == "" {
		set = plain
	}
	var queries [][]string
	name := set
	if isFile(set) {
		list, err := readClassList(name, -1)
		if err != nil {
			return nil, err
		}
		queries = list.queries
	} else {
		name = "classes/" + dataset + "." + set + ".txt"
		lines, err := embeddedLines(name)
		if err != nil {
			known := QuerySets(dataset)
			return nil, fmt.Errorf("%s: query set %q is not known%s (known: %s, or the path of a .txt file)",
				dataset, set, didYouMean(set, known), strings.Join(known, ", "))
		}
		if queries, err = parseQueries(name, lines); err != nil {
			return nil, err
		}
	}
	if len(queries) != classes {
		return nil, fmt.Errorf("%s: %d classes, but %s has %d; give one line per class in label order", name,
			len(queries), dataset, classes)
	}
	return queries, nil
}

// QuerySets lists the query sets that come with a data set, plain first; nil for an unknown one.
func QuerySets(dataset string) []string {
	files, _ := classFiles.ReadDir("classes")
	var sets []string
	for _, f := range files {
		base := strings.TrimSuffix(f.Name(), filepath.Ext(f.Name()))
		if set, ok := strings.CutPrefix(base, dataset+"."); ok {
			sets = append(sets, set)
		}
	}
	if i := slices.Index(sets, plain); i > 0 {
		sets = slices.Insert(slices.Delete(sets, i, i+1), 0, plain)
	}
	return sets
}

func embeddedLines(name string) ([]string, error) {
	data, err := classFiles.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), nil
}

func parseQueries(name string, lines []string) ([][]string, error) {
	separator, named, err := querySeparator(name, lines)
	if err != nil {
		return nil, err
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	var queries [][]string
	for i, line := range lines {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if !named && strings.ContainsAny(line, ",;") && !strings.Contains(line, separator) {
			return nil, fmt.Errorf(`%s:%d: %q may be one query or several; begin the file with a line such as # separator: ", "`, name, i+1, line)
		}
		var class []string
		for q := range strings.SplitSeq(line, separator) {
			if q = strings.TrimSpace(q); q == "" {
				return nil, fmt.Errorf("%s:%d: empty query; every class needs words", name, i+1)
			}
			class = append(class, q)
		}
		queries = append(queries, class)
	}
	return queries, nil
}

// querySeparator finds the comment that names the separator, else "|".
func querySeparator(name string, lines []string) (separator string, named bool, err error) {
	for i, line := range lines {
		comment, ok := strings.CutPrefix(line, "#")
		if !ok {
			continue
		}
		value, ok := strings.CutPrefix(strings.TrimSpace(comment), "separator:")
		if !ok {
			continue
		}
		s, err := strconv.Unquote(strings.TrimSpace(value))
		if err != nil || s == "" {
			return "", false, fmt.Errorf(`%s:%d: want the separator in double quotes, such as # separator: ", "`, name,
				i+1)
		}
		return s, true, nil
	}
	return "|", false, nil
}

// plainClasses names the classes of a data set by the first of its plain queries.
func plainClasses(dataset string) []string {
	name := "classes/" + dataset + "." + plain + ".txt"
	lines, err := embeddedLines(name)
	if err == nil {
		var queries [][]string
		if queries, err = parseQueries(name, lines); err == nil {
			return firstQueries(queries)
		}
	}
	panic(err) // the file is compiled in, and a test reads it
}

func firstQueries(queries [][]string) []string {
	names := make([]string, len(queries))
	for i, q := range queries {
		names[i] = q[0]
	}
	return names
}
