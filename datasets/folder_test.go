package datasets_test

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets"
	"ovbench/datasets/datasetstest"
	"ovbench/datasets/labelmap"
)

// Stripes of 0, 1, 2, 255 in 8 bits and of 2, 65535 in 16 bits, by testdata/small_trees.py.
func TestFolder(t *testing.T) {
	ds := open(t, "folder", datasets.Options{Root: "testdata/folder"})
	if diff := cmp.Diff([]string{"water", "roof", "high grass"}, ds.Info().Classes); diff != "" {
		t.Error(diff)
	}
	for i, want := range []map[uint16]int{{0: 50, 1: 50, 2: 50, labelmap.Ignore: 50}, {2: 121, labelmap.Ignore: 110}} {
		s, err := ds.At(i)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, histogram(s.Labels)); diff != "" || s.ID != "ab"[i:i+1] {
			t.Errorf("%s (-want +got):\n%s", s.ID, diff)
		}
	}
}

// The words of a class list are the queries of the data set; other sets are files with as many lines.
func TestFolderQueries(t *testing.T) {
	ds := open(t, "folder", datasets.Options{Root: "testdata/folder"})
	for _, set := range []string{"", "plain", "testdata/folder/classes.txt"} {
		got, err := datasets.QueriesOf(ds, set)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]string{{"water", "sea", "lake"}, {"roof"}, {"high grass"}}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", set, diff)
		}
		got[0][0] = "changed by a caller"
	}
	if got := ds.Info().Classes[0]; got != "water" {
		t.Errorf("class 0 is %q", got)
	}
	short := filepath.Join(t.TempDir(), "x.txt")
	put(t, short, []byte("one\ntwo\n"))
	if _, err := datasets.QueriesOf(ds, short); err == nil ||
		!strings.Contains(err.Error(), "2 classes, but folder has 3") {
		t.Errorf("two lines: %v", err)
	}
	a, err := datasets.Queries("voc20", "sclip")
	b, errOf := datasets.QueriesOf(open(t, "voc20", datasets.Options{Root: devkit}), "sclip")
	if err != nil || errOf != nil || !cmp.Equal(a, b) {
		t.Errorf("voc20: %v, %v", err, errOf)
	}
}

// folderTree writes a class list, pictures of 4x2 pixels and label maps of one value: entries such as "images/a.jpg"
// and "labels/a.png=7".
func folderTree(t *testing.T, classes int, entries ...string) string {
	t.Helper()
	root := t.TempDir()
	var list strings.Builder
	for i := range classes {
		fmt.Fprintf(&list, "class %d\n", i)
	}
	put(t, filepath.Join(root, "classes.txt"), []byte(list.String()))
	for _, e := range entries {
		name, value, _ := strings.Cut(e, "=")
		var v uint16
		fmt.Sscan(value, &v)
		m := image.NewGray16(image.Rect(0, 0, 4, 2))
		for i := range 8 {
			m.SetGray16(i%4, i/4, color.Gray16{v})
		}
		put(t, filepath.Join(root, name), encode(t, m))
	}
	return root
}

func TestFolderOptions(t *testing.T) {
	for _, test := range []struct {
		name    string
		classes int
		entries []string
		o       datasets.FolderOptions
		split   string
		want    string // ids and their label
	}{
		{"upper case, hidden and other files", 3, []string{"images/b.JPG", "images/a.jpeg", "images/._a.jpg", "images/x.txt",
			"labels/a.png=2", "labels/b.PNG=1"},
			datasets.FolderOptions{}, "", "a=2 b=1"},
		{"suffixes", 3, []string{"rgb/a_left.png", "rgb/a_right.png", "masks/a_gt.png=1"},
			datasets.FolderOptions{Images: "rgb", Labels: "masks", ImageSuffix: "_left.png", LabelSuffix: "_gt.png"}, "", "a=1"},
		{"one folder", 3, []string{"all/a.jpg", "all/a.png=1"},
			datasets.FolderOptions{Images: "all", Labels: "all", ImageSuffix: ".jpg"}, "", "a=1"},
		{"list", 3, []string{"images/a.png", "images/b.png", "labels/a.png=0", "labels/c.png", "=", "mine.txt"},
			datasets.FolderOptions{List: "mine.txt"}, "", "a=0"},
		{"split", 3, []string{"images/a.png", "labels/a.png=0", "val.txt"}, datasets.FolderOptions{}, "val", "a=0"},
		{"reduce zero", 3, []string{"images/a.png", "labels/a.png=0", "images/b.png", "labels/b.png=3"},
			datasets.FolderOptions{ReduceZero: true}, "", "a=65535 b=2"},
		{"255 is void", 255, []string{"images/a.png", "labels/a.png=255", "images/b.png", "labels/b.png=254"},
			datasets.FolderOptions{}, "", "a=65535 b=254"},
		{"255 is a class", 256, []string{"images/a.png", "labels/a.png=255", "images/b.png", "labels/b.png=65535"},
			datasets.FolderOptions{}, "", "a=255 b=65535"},
		{"255 is a class, shifted", 255, []string{"images/a.png", "labels/a.png=255"},
			datasets.FolderOptions{ReduceZero: true}, "", "a=254"},
		{"own void", 3, []string{"images/a.png", "labels/a.png=9"}, datasets.FolderOptions{Ignore: 9}, "", "a=65535"},
		{"1000 classes", 1000, []string{"images/a.png", "labels/a.png=999"}, datasets.FolderOptions{}, "", "a=999"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var files []string
			for _, e := range test.entries {
				if e != "=" && !strings.HasSuffix(e, ".txt") {
					files = append(files, e)
				}
			}
			root := folderTree(t, test.classes, files...)
			put(t, filepath.Join(root, "mine.txt"), []byte("a\r\n"))
			put(t, filepath.Join(root, "val.txt"), []byte("a\n"))
			put(t, filepath.Join(root, "images/x.txt"), nil)
			ds := open(t, "folder", datasets.Options{Root: root, Split: test.split, Folder: &test.o})
			datasetstest.Run(t, ds)
			var got []string
			for i := range ds.Len() {
				s, err := ds.At(i)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%s=%d", s.ID, s.Labels.Pix[0]))
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got %s, want %s", s, test.want)
			}
			if want := map[string]string{"": "all", "val": "val"}[test.split]; ds.Info().Split != want {
				t.Errorf("split %q, want %q", ds.Info().Split, want)
			}
		})
	}
}

func TestFolderErrors(t *testing.T) {
	pair := []string{"images/a.png", "labels/a.png"}
	for _, test := range []struct {
		name    string
		classes string // replaces the list of classes
		entries []string
		o       datasets.FolderOptions
		want    string
	}{
		{"no pictures", "x", []string{"labels/a.png"}, datasets.FolderOptions{}, "no such file"},
		{"no label maps", "x", []string{"images/a.png", "labels/a.txt"}, datasets.FolderOptions{},
			"labels: no label map; label maps end in .png"},
		{"no picture in the folder", "x", []string{"images/a.bmp", "labels/a.png"}, datasets.FolderOptions{},
			"images: no picture; pictures end in .jpg"},
		{"unpaired", "x", []string{"images/a.png", "images/b.png", "images/c.png", "images/d.png", "images/e.png",
			"labels/e.png", "labels/f.png"}, datasets.FolderOptions{},
			"images, 4 (a, b, c, …) have no label map; of the label maps in "},
		{"suffixes differ", "x", []string{"images/a_rgb.png", "labels/a_mask.png"}, datasets.FolderOptions{}, `pictures are called such as "a_rgb.png", label maps such as "a_mask.png"; name what follows the id`},
		{"twice", "x", append(pair, "images/a.jpg"), datasets.FolderOptions{}, "a.jpg and a.png have the same id"},
		{"no name", "x", []string{"images/a\x01b.png"}, datasets.FolderOptions{},
			"is not an image id; an id is the name of a file"},
		{"listed but missing", "x", pair, datasets.FolderOptions{List: "classes.txt"}, "1 (x) has no picture in"},
		{"no list", "x", pair, datasets.FolderOptions{List: "none.txt"}, "list of ids: "},
		{"class twice", "x\ny\nx", pair, datasets.FolderOptions{}, `classes 0 and 2 are both called "x"`},
		{"no class", "# nothing\n", pair, datasets.FolderOptions{}, "0 classes, want 1 to 60000"},
		{"ambiguous class", "person, human", pair, datasets.FolderOptions{}, "may be one query or several"},
		{"void is a class", "x\ny", pair, datasets.FolderOptions{Ignore: 1}, `ignore 1 is the stored value of class "y"`},
		{"void below", "x\ny", pair, datasets.FolderOptions{Ignore: -1}, "ignore -1: want a stored value"},
		{"no such class", "x\ny", []string{"images/a.png", "labels/a.png=2"}, datasets.FolderOptions{},
			"2 at x 0, y 0; allowed are the 2 classes as 0..1; not scored is 255, 65535; if the label maps count classes from " +
				"1, say reduce_zero_label: true"},
		{"255 is not void", "x\ny", []string{"images/a.png", "labels/a.png=255"}, datasets.FolderOptions{Ignore: 9,
			ReduceZero: true}, "255 at x 0, y 0; allowed are the 2 classes as 1..2; not scored is 0, 9; add classes to the list"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := folderTree(t, 0, test.entries...)
			put(t, filepath.Join(root, "classes.txt"), []byte(test.classes))
			ds, err := datasets.Open("folder", datasets.Options{Root: root, Folder: &test.o})
			if err == nil {
				_, err = ds.At(0)
				if !errors.Is(err, labelmap.ErrValue) {
					t.Errorf("%v is not ErrLabelValue", err)
				}
			}
			if err == nil || !strings.HasPrefix(err.Error(), "folder: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := datasets.Open("folder", datasets.Options{}); err == nil ||
		!strings.Contains(err.Error(), "labels/<id>.png") {
		t.Errorf("no root: %v", err)
	}
	if _, err := datasets.Open("folder", datasets.Options{Root: "picture/testdata/pixels"}); !errors.Is(err,
		os.ErrNotExist) || !strings.Contains(err.Error(), "list of classes: ") {
		t.Errorf("no class list: %v", err)
	}
	if _, err := datasets.Open("folder", datasets.Options{Root: "testdata/folder", Split: "../x"}); err == nil ||
		!strings.Contains(err.Error(), "split: ") {
		t.Errorf("split: %v", err)
	}
}
