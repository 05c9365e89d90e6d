package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

// maxListBytes bounds list and class-name files, which are read whole.
const maxListBytes = 16 << 20

// readLines reads a text file: the byte-order mark, carriage returns and outer blanks are
// trimmed. Empty lines stay, so that index i is line i+1 of the file.
func readLines(name string) ([]string, error) {
	data, err := readBounded(name, maxListBytes)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%s: not UTF-8 text", name)
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return lines, nil
}

// openRegular opens a regular file; anything else could block for ever, as a named pipe does.
func openRegular(name string) (f *os.File, size int64, err error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: not a regular file", name)
	}
	f, err = os.Open(name)
	return f, st.Size(), err
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, size, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, fmt.Errorf("%s: larger than the limit of %d MiB", name, limit>>20)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// readIDs reads a split list: one id per line, or two columns "/JPEGImages/id.jpg /Labels/id.png"
// as lists derived from DeepLab's have it. Blank lines are skipped.
func readIDs(name string) ([]string, error) {
	lines, err := readLines(name)
	if err != nil {
		return nil, err
	}
	return parseIDs(name, lines)
}

func parseIDs(name string, lines []string) ([]string, error) {
	var ids []string
	seen := make(map[string]int)
	for i, line := range lines {
		if line == "" {
			continue
		}
		id, err := lineID(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		if first, ok := seen[id]; ok {
			return nil, fmt.Errorf("%s:%d: id %q is already on line %d; an image may be counted only once", name, i+1, id, first)
		}
		seen[id] = i + 1
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s: the list is empty", name)
	}
	return ids, nil
}

func lineID(line string) (string, error) {
	fields := strings.Fields(line)
	id := fields[0]
	switch {
	case len(fields) > 2:
		return "", fmt.Errorf("%d columns, want one id or an image and a label path", len(fields))
	case len(fields) == 2:
		id = stem(fields[0])
		if other := stem(fields[1]); other != id || !strings.Contains(line, "/") {
			return "", fmt.Errorf("columns %q and %q are not an image and the label of the same id", fields[0], fields[1])
		}
	}
	return id, checkID(id)
}

func stem(p string) string {
	base := path.Base(p)
	return strings.TrimSuffix(base, path.Ext(base))
}

// checkID refuses what could leave the directory that an id is joined to.
func checkID(id string) error {
	ok := id != "" && id[0] != '.' && len(id) <= 200
	for _, r := range id {
		ok = ok && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '-' || r == '.')
	}
	if !ok {
		return fmt.Errorf("%q is not an image id; an id has letters, digits, '_', '-' and '.', no path and no extension", id)
	}
	return nil
}

// listSHA256 is the digest of Info.ListSHA256: independent of how the list file was written.
func listSHA256(ids []string) string {
	h := sha256.New()
	for _, id := range ids {
		io.WriteString(h, id+"\n")
	}
	return hex.EncodeToString(h.Sum(nil))
}

func isDir(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.IsDir()
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return !errors.Is(err, os.ErrNotExist)
}
