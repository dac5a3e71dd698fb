/* Two runs with a fence that is passed before an act is sent, and one act that a process which stood still sends late.
   The older closes the primary's bucket, the newer opens it, looks again, and says that it serves. -D NO_CLAIM and
   -D NO_LOOK leave a protection out. */
byte epoch = 2, held = 2, says = 0;
bool open = true, serves = false, looked = false, after_look = false;

active proctype older() {
    byte mine = 2;
    if :: epoch == mine -> skip /* passes the fence, and may stand still here */ :: else -> goto over fi;
    atomic { open = false; if :: looked -> after_look = true :: else fi };
#ifdef NO_CLAIM
    atomic { assert(says < 3); says = mine };
#else
    atomic { if :: held == mine -> assert(says < 3 && held < 3); says = mine :: else fi };
#endif
over: skip
}

active proctype newer() {
    byte mine = 3;
    epoch = mine;
#ifndef NO_CLAIM
    held = mine;
#endif
    open = true;
    says = mine;
#ifndef NO_LOOK
    do :: atomic { open -> looked = true; break } :: !open -> open = true od;
#endif
    atomic { serves = true; assert(open || after_look) };
}
