/* A boot sector: reads the program behind it, goes to 64-bit mode with all vector registers on, and calls main. */
.section .boot, "ax"
.code16
.global start
start:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $start, %sp
    cld
read:                               /* 64 sectors a time, to where bare.ld puts them; dl is still the disk */
    movb $0x42, %ah
    movw $packet, %si
    int $0x13
    jc halt
    addw $64 * 512 / 16, packet_segment
    addl $64, packet_sector
    cmpl $end_sector, packet_sector
    jb read

    cli
    inb $0x92, %al                  /* address line 20 */
    orb $2, %al
    outb %al, $0x92
    movw $0x1000, %di               /* page tables: the first GiB is where it is, in pages of 2 MiB */
    xorl %eax, %eax
    movw $3 * 4096 / 4, %cx
    rep stosl
    movl $0x2003, 0x1000
    movl $0x3003, 0x2000
    movw $0x3000, %di
    movl $0x83, %eax
page:
    movl %eax, (%di)
    addl $0x200000, %eax
    addw $8, %di
    cmpw $0x4000, %di
    jb page
    movl $0x1000, %eax
    movl %eax, %cr3
    movl $0x40620, %eax             /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx          /* EFER: LME */
    rdmsr
    orb $1, %ah
    wrmsr
    lgdt descriptors
    movl %cr0, %eax
    andb $~4, %al                   /* EM off; PG, MP, PE on */
    orl $0x80000003, %eax
    movl %eax, %cr0
    ljmp $8, $long
halt:
    hlt
    jmp halt

.code64
long:
    movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %ecx, %ecx
    movl $0xe7, %eax                /* XCR0: x87, SSE, AVX and AVX-512 */
    xorl %edx, %edx
    xsetbv
    movl $0x2000000, %esp
    call main

.align 4
packet:
    .byte 16, 0
    .word 64, 0
packet_segment:
    .word first_segment
packet_sector:
    .long first_sector, 0
.align 8
table:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
descriptors:
    .word 23
    .long table
.section .signature, "a"
    .word 0xaa55
.section .note.GNU-stack, "", @progbits
