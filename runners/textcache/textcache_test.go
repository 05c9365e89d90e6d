package textcache

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

func open(t *testing.T, root string, width int, key ...string) *Cache {
	t.Helper()
	c, err := Open(root, width, key...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// prompts are n IDs from the first on, with rows that tell which they are.
func prompts(first, n, width int) (ids []ID, rows [][]float32) {
	for i := range n {
		row := make([]float32, width)
		for k := range row {
			row[k] = float32(first+i) + float32(k)/8
		}
		ids, rows = append(ids, IDOf([]int32{int32(first + i), 7})), append(rows, row)
	}
	return ids, rows
}

func add(t *testing.T, c *Cache, first, n int) {
	t.Helper()
	ids, rows := prompts(first, n, c.width)
	if err := c.Add(ids, rows); err != nil {
		t.Fatal(err)
	}
}

// check asks for n prompts and wants exactly those missing.
func check(t *testing.T, c *Cache, n int, missing ...int) {
	t.Helper()
	ids, want := prompts(0, n, c.width)
	got := make([][]float32, n)
	for i := range got {
		got[i] = make([]float32, c.width)
	}
	if m := c.Fill(ids, got); !slices.Equal(m, missing) {
		t.Errorf("missing are %v, want %v", m, missing)
	}
	for i := range got {
		if !slices.Contains(missing, i) && !slices.Equal(got[i], want[i]) {
			t.Errorf("prompt %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func TestCache(t *testing.T) {
	root := t.TempDir()
	c := open(t, root, 5, "model", "f32")
	check(t, c, 3, 0, 1, 2)
	add(t, c, 0, 2)
	add(t, c, 3, 2)
	check(t, c, 6, 2, 5)
	check(t, open(t, root, 5, "model", "f32"), 6, 2, 5)
	for _, other := range []*Cache{open(t, root, 5, "model", "bf16"), open(t, root, 5, "modelf32"),
		open(t, root, 5, "mode", "lf32")} {
		check(t, other, 1, 0)
	}
	check(t, open(t, root, 4, "model", "f32"), 1, 0) // another width under the same key
	ids, rows := prompts(0, 1, 4)
	if err := c.Add(ids, rows); err == nil {
		t.Error("a row of another width was kept")
	}
}

func files(t *testing.T, root string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(root, "*", "*"+extension))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestDamage(t *testing.T) {
	root := t.TempDir()
	c := open(t, root, 3, "m")
	add(t, c, 0, 4)
	path := files(t, root)[0]
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole { // whatever the damage, no number is wrong
		b := slices.Clone(whole)
		b[at] ^= 0x10
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		check(t, c, 4, damaged(c, at)...)
	}
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o666); err != nil {
		t.Fatal(err)
	}
	check(t, c, 4, 3)
	if err := os.Mkdir(filepath.Join(c.dir, "folder"+extension), 0o777); err != nil {
		t.Fatal(err)
	}
	check(t, c, 4, 3)
}

// damaged are the prompts of four that a changed byte takes away.
func damaged(c *Cache, at int) (missing []int) {
	first := max(at-len(c.head()), 0) / c.record()
	if at < len(c.head()) {
		first = 0
	}
	for i := first; i < 4; i++ {
		missing = append(missing, i)
	}
	return missing
}

func TestBound(t *testing.T) {
	root := t.TempDir()
	old, used := open(t, root, 8, "old"), open(t, root, 8, "used")
	add(t, old, 0, 10)
	add(t, used, 0, 10)
	past := time.Now().Add(-time.Hour)
	for _, f := range files(t, root) {
		if err := os.Chtimes(f, past, past); err != nil {
			t.Fatal(err)
		}
	}
	check(t, used, 1) // being of use makes it young again
	c := open(t, root, 8, "new")
	c.most = int64(2 * (len(c.head()) + 10*c.record()))
	add(t, c, 0, 10)
	check(t, old, 1, 0)
	check(t, used, 10)
	check(t, c, 10)
	c.most = 1
	add(t, c, 10, 1)
	check(t, c, 11, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) // the file just written stays
}

func TestManyWriters(t *testing.T) {
	root := t.TempDir()
	var wait sync.WaitGroup
	for w := range 8 {
		wait.Go(func() {
			c, err := Open(root, 4, "m")
			if err != nil {
				t.Error(err)
				return
			}
			unlock := c.Lock(t.Context())
			defer unlock()
			ids, rows := prompts(3*w, 4, 4) // each shares one with the next
			if err := c.Add(ids, rows); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	check(t, open(t, root, 4, "m"), 25)
	if n := len(files(t, root)); n != 8 {
		t.Error(fmt.Sprint(n, " files"))
	}
}

// A process that holds the lock and adds nothing is not waited for, and neither is a pipe.
func TestNobodyIsWaitedForForEver(t *testing.T) {
	c := open(t, t.TempDir(), 4, "m")
	held := c.Lock(t.Context())
	other := open(t, c.root, 4, "m")
	other.patience = 50 * time.Millisecond
	other.Lock(t.Context())()
	held()
	if err := os.Remove(filepath.Join(c.dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(c.dir, "lock"), 0o666); err != nil {
		t.Skip(err)
	}
	c.Lock(t.Context())()
}
