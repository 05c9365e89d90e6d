package files

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	for text, want := range map[string][]string{
		"a\nb\n":                      {"a", "b"},
		"\ufeff a \r\n\r\nb":          {"a", "", "b"},
		"a\rb\r":                      {"a", "b"},
		"\xff\xfea\x00\n\x00\xe9\x00": {"a", "é"},
		"\xfe\xff\x00a\x00\n\x00b":    {"a", "b"},
	} {
		name := filepath.Join(t.TempDir(), "x.txt")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Lines(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{"a\x00b": "not a text", "gr\xfcn": "save it as UTF-8"} {
		if _, err := decodeText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// A tree of links: into a folder beside, back up, and to nowhere.
func TestTree(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"top/a.txt", "top/.hidden/x", "top/.x", "top/below/b.txt", "beside/c.txt"} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"top/link": "../beside", "top/below/up": "../../top", "beside/top": "../top",
		"top/file": "a.txt"} {
		if err := os.Symlink(filepath.FromSlash(to), filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Skip(err)
		}
	}
	got, err := Tree(filepath.Join(dir, "top"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.txt", "below/b.txt", "file", "link/c.txt"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "top/dead")); err != nil {
		t.Fatal(err)
	}
	if _, err := Tree(filepath.Join(dir, "top")); err == nil || !strings.Contains(err.Error(), "the link leads nowhere") {
		t.Errorf("a link to nowhere: %v", err)
	}
}

// A few folders that link to each other can be walked in more ways than anybody waits for.
func TestTreeOfLinks(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		from := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(from, 0o700); err != nil {
			t.Fatal(err)
		}
		for j := range 12 {
			if err := os.Symlink(filepath.Join("..", fmt.Sprint(j)), filepath.Join(from, fmt.Sprint(j))); err != nil {
				t.Skip(err)
			}
		}
	}
	w := walk{top: dir, most: 1000}
	if err := w.folder("", nil); err == nil || !strings.Contains(err.Error(), "links that lead into each other") {
		t.Error(err)
	}
}

// What is no regular file is listed, so that it is refused by name and not passed over.
func TestTreeOfPipes(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "a.png")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if got, err := Tree(dir); err != nil || len(got) != 1 || got[0] != "a.png" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Read(pipe, 1); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

func TestRegular(t *testing.T) {
	done := make(chan error, 1)
	go func() {
		_, err := Read(t.TempDir(), 10)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("reading a folder does not end")
	}
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, 11), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(big, 10); err == nil {
		t.Error("a file above the limit is read")
	}
	if _, err := OpenBounded(big, 10); err == nil {
		t.Error("a file above the limit is opened")
	}
}

// FuzzLines: whatever the bytes, lines are texts without ends of lines, or there is an error.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"a\nb", "\ufeffa\r\nb", "\xff\xfea\x00\n\x00", "\xfe\xff\x00a", "a\x00", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := decodeText(data)
		if err == nil && (!utf8.ValidString(text) || strings.ContainsAny(text, "\r\x00")) {
			t.Fatalf("%q", text)
		}
	})
}
