#include "textflag.h"

// ADD adds four draws, whose times are in y, at the offset of a row.
#define ADD(y, offset) \
	VMULPD  y, Y8, Y9 \
	VADDPD  offset(AX), Y9, Y9 \
	VMOVUPD Y9, offset(AX)

// func addTermsAVX2(rows, times *lanes, at *int32, values *float64, n int)
TEXT ·addTermsAVX2(SB), NOSPLIT, $0-40
	MOVQ    rows+0(FP), DI
	MOVQ    times+8(FP), SI
	MOVQ    at+16(FP), DX
	MOVQ    values+24(FP), BX
	MOVQ    n+32(FP), CX
	VMOVUPD (SI), Y0
	VMOVUPD 32(SI), Y1
	VMOVUPD 64(SI), Y2
	VMOVUPD 96(SI), Y3
	VMOVUPD 128(SI), Y4
	VMOVUPD 160(SI), Y5
	VMOVUPD 192(SI), Y6
	VMOVUPD 224(SI), Y7

loop:
	MOVLQSX      (DX), AX
	SHLQ         $8, AX
	ADDQ         DI, AX
	VBROADCASTSD (BX), Y8
	ADD(Y0, 0)
	ADD(Y1, 32)
	ADD(Y2, 64)
	ADD(Y3, 96)
	ADD(Y4, 128)
	ADD(Y5, 160)
	ADD(Y6, 192)
	ADD(Y7, 224)
	ADDQ         $4, DX
	ADDQ         $8, BX
	DECQ         CX
	JNZ          loop
	VZEROUPPER
	RET
