package datasets

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// COCO-Stuff's label maps (github.com/nightrome/cocostuff): the pixel of stuffthingmaps is a category's id less one, 255
// where nothing is labelled; things lie over stuff. Converters of mmsegmentation (labelTrainIds) and of GroupViT
// (instanceTrainIds) close the gaps of the numbering.

// cocoMaps has label PNGs beside its pictures. It is immutable.
type cocoMaps struct {
	info             Info
	pictures, labels string   // directories
	files            []string // pictures
	suffix           string   // a label map is the picture's stem and this
	table            *labelTable
	orientation      Orientation
}

// cocoObjectTable maps stuffthingmaps to 0 for background, 1..80 for things.
func cocoObjectTable() *labelTable {
	return cocoPixelTable(0, cocoLabels(1, cocoThings), nil)
}

// cocoStuffTable maps stuffthingmaps to 0..79 for things, 80..170 for stuff.
func cocoStuffTable() *labelTable {
	return cocoPixelTable(Ignore, cocoLabels(0, cocoThings), cocoLabels(len(cocoThings), cocoStuff))
}

// cocoPixelTable maps pixels id-1. Stuff that has no label is 0. The eleven ids that COCO never uses do not occur: a pixel
// that has one shows that the map was converted.
func cocoPixelTable(void uint16, things, stuff map[int64]uint16) *labelTable {
	var t labelTable
	for i := range t {
		t[i] = noLabel
	}
	for _, c := range cocoThings {
		t[c.id-1] = things[c.id]
	}
	for _, c := range cocoStuff {
		t[c.id-1] = stuff[c.id]
	}
	t[255] = void
	return &t
}

// cocoObjectTrainTable maps instanceTrainIds: 0 is background, void included.
func cocoObjectTrainTable() *labelTable {
	t := newLabelTable(1+len(cocoThings), 255, false)
	t[255] = noLabel
	return t
}

// cocoRaw is the form of stuffthingmaps as published.
func cocoRaw(table *labelTable) cocoForm {
	return func(t cocoTree, info Info) (Dataset, error) {
		for _, sub := range []string{"stuffthingmaps/" + t.split, "annotations/stuffthingmaps/" + t.split, "annotations/" + t.split} {
			if dir := t.file(sub); cocoHasMaps(dir, func(stem string) bool { return !strings.HasSuffix(stem, "TrainIds") }) {
				info.Notes = append(info.Notes, "labels are the stuffthingmaps in "+sub)
				return newCOCOMaps(t, info, dir, "", table)
			}
		}
		return nil, nil
	}
}

// cocoConverted is the form of the label maps that converters write, told by the suffix of their names.
func cocoConverted(suffix string, table *labelTable) cocoForm {
	return func(t cocoTree, info Info) (Dataset, error) {
		sub := "annotations/" + t.split
		if dir := t.file(sub); cocoHasMaps(dir, func(stem string) bool { return strings.HasSuffix(stem, suffix) }) {
			info.Notes = append(info.Notes, "labels are the converted maps "+sub+"/*"+suffix+".png")
			return newCOCOMaps(t, info, dir, suffix, table)
		}
		return nil, nil
	}
}

// cocoHasMaps says whether a directory has a PNG of which is says that it belongs to the form.
func cocoHasMaps(dir string, is func(stem string) bool) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return filepath.Ext(e.Name()) == ".png" && is(stem(e.Name()))
	})
}

func newCOCOMaps(t cocoTree, info Info, labels, suffix string, table *labelTable) (Dataset, error) {
	files, err := t.listPictures()
	if err != nil {
		return nil, err
	}
	m := &cocoMaps{info, t.pictures, labels, files, suffix + ".png", table, t.orientation}
	ids := make([]string, len(files))
	for i := range ids {
		ids[i] = m.ID(i)
	}
	m.info.ListSHA256 = listSHA256(ids)
	return m, nil
}

func (m *cocoMaps) Info() Info      { return cloneInfo(m.info) }
func (m *cocoMaps) Len() int        { return len(m.files) }
func (m *cocoMaps) ID(i int) string { return stem(m.files[i]) }

func (m *cocoMaps) Files(i int) (imagePath, labelPath string) {
	return filepath.Join(m.pictures, m.files[i]), filepath.Join(m.labels, m.ID(i)+m.suffix)
}

func (m *cocoMaps) At(i int) (Sample, error) { return m.AtWith(i, nil) }

func (m *cocoMaps) AtWith(i int, picture *image.NRGBA) (Sample, error) {
	if i < 0 || i >= len(m.files) {
		return Sample{}, fmt.Errorf("%s: sample %d of %d", m.info.Name, i, len(m.files))
	}
	imagePath, labelPath := m.Files(i)
	s, err := readBeside(picture, m.ID(i), imagePath, labelPath, m.orientation, m.table.apply)
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w", m.info.Name, err)
	}
	return s, nil
}

func cloneInfo(info Info) Info {
	info.Classes, info.Notes = slices.Clone(info.Classes), slices.Clone(info.Notes)
	return info
}
