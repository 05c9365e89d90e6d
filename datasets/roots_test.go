package datasets

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCandidates(t *testing.T) {
	for _, test := range []struct {
		name  string
		names []string
		want  []string
	}{
		{"none", nil, []string{"data"}},
		{"one", []string{"cityscapes"}, []string{"data/cityscapes", "data"}},
		{"deep", []string{"VOCdevkit/VOC2012"}, []string{"data/VOCdevkit/VOC2012", "data/VOC2012", "data"}},
		{"whole names before parts", []string{"VOCdevkit/VOC2012", "voc/VOCdevkit/VOC2012"},
			[]string{"data/VOCdevkit/VOC2012", "data/voc/VOCdevkit/VOC2012", "data/VOC2012", "data"}},
		{"no directory twice", []string{"coco", "coco"}, []string{"data/coco", "data"}},
	} {
		got := candidates("data", test.names...)
		for i := range test.want {
			test.want[i] = filepath.FromSlash(test.want[i])
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// Wherever on the way down the user points, the same directory is found.
func TestFirstWith(t *testing.T) {
	top := t.TempDir()
	set := filepath.Join(top, "ade", "ADEChallengeData2016")
	write(t, filepath.Join(set, "images", "validation", "x.jpg"), nil)
	for _, root := range []string{top, filepath.Join(top, "ade"), set} {
		dirs := candidates(root, "ade/ADEChallengeData2016")
		if got := firstWith(dirs, "images/validation"); got != set {
			t.Errorf("root %s: found %q", root, got)
		}
		if got := firstWith(dirs, "images/validation", "annotations"); got != "" {
			t.Errorf("root %s: found %q without annotations", root, got)
		}
	}
}
