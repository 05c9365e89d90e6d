package datasets_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets"
	"ovbench/datasets/datasetstest"
	"ovbench/datasets/labelmap"
)

// Stripes of 0, 5, 10 and of 11, 3, by testdata/small_trees.py. The list gives the order, without it the alphabet does.
func TestCamVid(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/camvid")); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{{"Seq05VD_f00002", "0001TP_000001"}, {"0001TP_000001", "Seq05VD_f00002"}} {
		ds := open(t, "camvid", datasets.Options{Root: root})
		if got := []string{ds.ID(0), ds.ID(1)}; !cmp.Equal(got, want) || ds.Len() != 2 || ds.Info().Official != 233 {
			t.Errorf("ids %q, want %q", got, want)
		}
		for i := range ds.Len() {
			s, err := ds.At(i)
			if err != nil {
				t.Fatal(err)
			}
			want := map[uint16]int{0: 144, 5: 144, 10: 144}
			if s.ID == "Seq05VD_f00002" {
				want = map[uint16]int{labelmap.Ignore: 216, 3: 216}
			}
			if diff := cmp.Diff(want, histogram(s.Labels)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", s.ID, diff)
			}
		}
		if list := filepath.Join(root, "CamVid/test.txt"); ds.ID(0)[0] == 'S' {
			remove(t, list)
		}
	}
}

func TestCamVidErrors(t *testing.T) {
	for _, test := range []struct {
		o    datasets.Options
		want string
	}{
		{datasets.Options{}, "camvid: no data directory is given; name the one that holds test and testannot"},
		{datasets.Options{Root: "testdata/camvid", Split: "val"}, "val and valannot are together in none of"},
		{datasets.Options{Root: "testdata/camvid", Split: ".."}, `split: ".." is not`},
		{datasets.Options{Root: "testdata/ade20k/ADEChallengeData2016"}, "no file ends in .png"},
	} {
		if _, err := datasets.Open("camvid", test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %q", test.o, err, test.want)
		}
	}
}

// Twenty pictures of the test split, the histogram of all their labels counted with numpy 2.4.6. The list of 233 beside
// them does not count.
func TestRealCamVid(t *testing.T) {
	ds := open(t, "camvid", datasets.Options{Root: filepath.Join(shared(t), "samples/camvid")})
	datasetstest.Run(t, ds)
	if notes := ds.Info().Notes; ds.Len() != 20 || len(notes) != 1 ||
		!strings.HasPrefix(notes[0], "20 pictures of the folder images") {
		t.Errorf("%d pictures, notes %q", ds.Len(), notes)
	}
	got := make(map[uint16]int)
	for i := range ds.Len() {
		s, err := ds.At(i)
		if err != nil {
			t.Fatal(err)
		}
		for v, n := range histogram(s.Labels) {
			got[v] += n
		}
	}
	want := map[uint16]int{0: 582407, 1: 967242, 2: 40068, 3: 834535, 4: 327724, 5: 335037, 6: 30909, 7: 21091, 8: 137231,
		9: 25392, 10: 8954, labelmap.Ignore: 145410}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
