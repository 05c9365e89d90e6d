package picture

import "image"

// fromWebP converts the planes of lossy WebP, which are BT.601 of limited range at 4:2:0, as libwebp does: chroma goes
// through a triangle filter along both axes (upsampling.c), colours through fixed-point tables of 14 bits (yuv.h).
// image/color takes the range to be full, which shifts every colour.
func fromWebP(m *image.YCbCr) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	dst := image.NewNRGBA(image.Rect(0, 0, w, h))
	half := (w + 1) / 2
	u, v := make([]byte, w+2), make([]byte, w+2)
	for y := range h {
		near := y / 2
		far := near - 1 + 2*(y%2)
		far = max(0, min(far, (h+1)/2-1))
		chromaRow(u, m.Cb[near*m.CStride:][:half], m.Cb[far*m.CStride:][:half])
		chromaRow(v, m.Cr[near*m.CStride:][:half], m.Cr[far*m.CStride:][:half])
		webpRow(dst.Pix[y*dst.Stride:][:4*w], m.Y[y*m.YStride:], u, v)
	}
	return dst
}

// chromaRow doubles a row of chroma between the row it belongs to and the next nearest: sample x of the picture takes
// 9, 3, 3 and 1 sixteenths of the four around it, rounded in two steps as libwebp does, and at the sides 3 and 1
// quarters of two.
func chromaRow(out, near, far []byte) {
	last := len(near) - 1
	side := func(i int) byte { return byte((3*int(near[i]) + int(far[i]) + 2) >> 2) }
	out[0] = side(0)
	for i := range last {
		a, b, c, d := int(near[i]), int(near[i+1]), int(far[i]), int(far[i+1])
		sum := a + b + c + d + 8
		out[2*i+1] = byte((a + (sum+2*(b+c))>>3) >> 1)
		out[2*i+2] = byte((b + (sum+2*(a+d))>>3) >> 1)
	}
	out[2*last+1] = side(last)
}

func webpRow(out, luma, u, v []byte) {
	for i := 0; i < len(out); i += 4 {
		y, u, v := int(luma[i/4])*19077>>8, int(u[i/4]), int(v[i/4])
		out[i] = sixBits(y + v*26149>>8 - 14234)
		out[i+1] = sixBits(y - u*6419>>8 - v*13320>>8 + 8708)
		out[i+2] = sixBits(y + u*33050>>8 - 17685)
		out[i+3] = 255
	}
}

// sixBits drops the six fractional bits of a colour.
func sixBits(v int) byte { return byte(max(0, min(v>>6, 255))) }
