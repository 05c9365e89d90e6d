package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/datasets/labelmap"
)

// What people call the parts of a folder of their own.
var (
	surveyImages = []string{"images", "image", "imgs", "img", "pictures", "photos", "JPEGImages", "rgb"}
	surveyLabels = []string{"labels", "label", "masks", "mask", "annotations", "gt", "SegmentationClass",
		"ground_truth"}
	surveyClasses = []string{"classes.txt", "labelmap.txt", "class_dict.csv", "names.txt", "labels.txt"}
)

// surveyMaps is how many label maps a survey reads.
const surveyMaps = 64

// A Survey is how a folder of one's own is likely to be read, and what that follows from.
type Survey struct {
	Folder  FolderOptions
	Samples int
	Classes []string
	Found   []string // lines for people
}

// NewSurvey looks at a folder: which of its folders hold pictures and label maps, which file the classes, and which
// values some of the label maps store.
func NewSurvey(root string) (*Survey, error) {
	pick := func(what string, names []string) (string, error) {
		for _, name := range names {
			if exists(filepath.Join(root, name)) {
				return name, nil
			}
		}
		return "", fmt.Errorf("%s: no %s, looked for %s; the folder must be\n%s", root, what, strings.Join(names, ", "),
			folderLayout)
	}
	var s Survey
	switch info, err := os.Stat(root); {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s: not a folder; name the one that holds pictures and label maps", root)
	}
	var err error
	if s.Folder.Images, err = pick("folder of pictures", surveyImages); err != nil {
		return nil, err
	}
	if s.Folder.Labels, err = pick("folder of label maps", surveyLabels); err != nil {
		return nil, err
	}
	if s.Folder.Classes, err = pick("list of classes, one a line in the order of label values",
		surveyClasses); err != nil {
		return nil, err
	}
	numbered := openFolderAs(root, s.Folder)
	s.Folder.ReduceZero = true
	reduced := openFolderAs(root, s.Folder)
	s.Folder.ReduceZero = false
	d := numbered.ds
	if d == nil { // a list that is numbered from 1 goes with reduce_zero_label
		if d = reduced.ds; d == nil {
			return nil, numbered.err
		}
		s.Folder.ReduceZero = true
	}
	s.Samples, s.Classes = d.Len(), d.Info().Classes
	s.Found = append(s.Found, fmt.Sprintf("%d pictures in %s with label maps in %s, %d classes in %s", s.Samples,
		s.Folder.Images, s.Folder.Labels,
		len(s.Classes), s.Folder.Classes))
	s.Found = append(s.Found, d.Info().Notes...)
	return &s, s.values(d)
}

type openedFolder struct {
	ds  *folder
	err error
}

func openFolderAs(root string, o FolderOptions) openedFolder {
	ds, err := openFolder(Options{Root: root, Folder: &o})
	if err != nil {
		return openedFolder{err: err}
	}
	return openedFolder{ds: ds.(*folder)}
}

// values looks at what label maps store, and sets reduce_zero_label or the value to ignore where that follows.
func (s *Survey) values(d *folder) error {
	stored := make(labelmap.Histogram)
	step := d.Len()/surveyMaps + 1
	for i := 0; i < d.Len(); i += step {
		_, path := d.files(i)
		l, err := d.read(path)
		if err != nil {
			return err
		}
		stored.Add(l)
	}
	values, n := stored.Values(), len(s.Classes)
	s.Found = append(s.Found, "label maps looked at store "+valueRanges(values))
	beyond := slices.DeleteFunc(slices.Clone(values),
		func(v uint16) bool { return int(v) < n || v == 255 || v == labelmap.Ignore })
	switch {
	case slices.Equal(values, []uint16{0, 255}) && n == 2:
		s.Found = append(s.Found, "these are masks of 0 and 255: store class 1 as 1, as 255 is read as pixels that "+
			"do not count")
	case !s.Folder.ReduceZero && slices.Equal(beyond, []uint16{uint16(n)}):
		s.Folder.ReduceZero = true
		s.Found = append(s.Found, fmt.Sprintf("%d, one more than the last class, occurs: the label maps count "+
			"classes from 1 (reduce_zero_label)", n))
	case !s.Folder.ReduceZero && len(beyond) == 1:
		s.Folder.Ignore = int(beyond[0])
		s.Found = append(s.Found, fmt.Sprintf("%d is no class and is taken for pixels that do not count (ignore)",
			beyond[0]))
	case !s.Folder.ReduceZero && len(beyond) > 1:
		s.Found = append(s.Found, fmt.Sprintf("values %s are no class: add classes to the list, or another list is "+
			"meant", valueRanges(beyond)))
	}
	first := strings.ToLower(s.Classes[0])
	s.Folder.Background = !s.Folder.ReduceZero && slices.Contains([]string{"background", "bg", "other", "others",
		"void"}, first)
	return nil
}
