package reports

import (
	"slices"

	"ovbench/reports/draw"
	"ovbench/reports/pdf"
)

// picturePixels is the longer side of a sample's pictures in documents.
const picturePixels = 320

// shown is a sample as documents show it: what there is to see, of whom, and what is to be said about it. Several runs
// stand side by side.
func shown(ref sampleRef) (*pdf.Sample, error) {
	type seen struct {
		*sample
		method string
	}
	by := map[string]seen{}
	s := &pdf.Sample{ID: ref.id}
	var all []*sample
	for i, k := range ref.kept {
		m, err := loadSample(k.run, k.panel, picturePixels)
		if err != nil {
			return nil, err
		}
		if all = append(all, m); i == 0 {
			s.W, s.H, s.Image = m.image.Rect.Dx(), m.image.Rect.Dy(), m.image
		}
		if m.truth != nil && s.Truth == nil {
			s.Truth = m.truth.picture()
		}
		for _, x := range k.run.Methods {
			if m.predictions[x.Name] != nil || m.maps[x.Name].gray != nil {
				name := k.name(x.Name)
				s.Methods, by[name] = append(s.Methods, name), seen{m, x.Name}
			}
		}
		for _, kind := range []struct {
			name string
			some bool
		}{{labelKind, len(m.predictions) > 0}, {heatKind, len(m.maps) > 0}, {errorKind, len(m.predictions) > 0 &&
			m.truth != nil}} {
			if kind.some && !slices.Contains(s.Kinds, kind.name) {
				s.Kinds = append(s.Kinds, kind.name)
			}
		}
		s.Scale = s.Scale || len(m.maps) > 0
	}
	s.See = func(kind, method string) (pdf.Picture, bool) {
		x, ok := by[method]
		if !ok {
			return pdf.Picture{}, false
		}
		return x.see(kind, x.method)
	}
	key := newLegend(&sheet{classes: ref.kept[0].classes(), samples: all}, 100)
	for _, e := range key.entries {
		s.Legend = append(s.Legend, pdf.Swatch{Name: e.name, Color: e.color})
	}
	s.More = key.more
	return s, nil
}

// classes are those of the sample's data set.
func (k keptPanel) classes() []string {
	if d := k.run.Dataset(k.panel.Dataset); d != nil {
		return d.Classes
	}
	return nil
}

// see is what there is to see of a method, and what is to be said about it.
func (m *sample) see(kind, method string) (p pdf.Picture, ok bool) {
	switch kind {
	case labelKind:
		if l := m.predictions[method]; l != nil {
			return pdf.Picture{Image: l.picture(), Text: m.verdicts[method].mIoU(),
				Score: m.verdicts[method].score()}, true
		}
	case heatKind:
		if g := m.maps[method]; g.gray != nil {
			return pdf.Picture{Image: draw.Blend(m.image, g.gray), Text: g.class}, true
		}
	case errorKind:
		if wrong := m.wrong(method); wrong != nil {
			return pdf.Picture{Image: wrong, Text: m.verdicts[method].wrongs(), Score: m.verdicts[method].score()}, true
		}
	}
	return pdf.Picture{}, false
}
