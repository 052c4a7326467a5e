"""What MetaEditor or the terminal would refuse is refused here, too: by the linter, by g++ with
warnings as errors, or when the program runs.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from mql_compiler import Build, NotCompiled, compiled, translated

HEAD = """#property copyright "x"
#property version "1.0"
#property description "x"
"""
END = "int OnInit(void){ return(0); }\n"

LINTED = {
    "arrow": "class A{public: int x;}; A *a=NULL; void F(void){ a=new A(); Print(a->x); }",
    "auto": "void F(void){ auto x=1; Print(x); }",
    "nullptr": 'void F(void){ string s="a"; if(s==nullptr) Print("x"); }',
    "std": "std::vector<int> v;",
    "unsigned": "void F(void){ unsigned long x=1; Print(x); }",
    "reserved": "void F(void){ int matrix=1; Print(matrix); }",
    "specifier": "void F(void){ int final=1; Print(final); }",
    "specifier of a method": "class A{public: virtual void F(void) override {}};",
    "parameter hides an input": "void F(const int Lots){ Print(Lots); } input int Lots=1;",
    "parameter hides a global": "void F(int a,string &Word[]){ Print(a); } string Word;",
    "local hides a global": "void F(void){ int a=1,Later[]; Print(a); } double Now[],Later=1;",
    "loop hides a global": "void F(void){ for(int Turn=0; Turn<2; Turn++) Print(1); } int Turn;",
    "object hides a global": "struct S{int a;}; void F(S &Main){ Print(Main.a); } S Main;",
    "struct by value": "struct S{int a;}; void F(S s){ Print(s.a); }",
    "array by value": "void F(int a[]){ Print(a[0]); }",
    "two dimensions": "void F(void){ int a[2][2]; Print(1); }",
    "reference variable": "void F(void){ int a=1; int &b=a; Print(b); }",
    "lambda": "void F(void){ int y=[](int x){return x;}(1); Print(y); }",
    "braces": "void F(void){ int x{1}; Print(x); }",
    "two bases": "class A{}; class B{}; class C: public A, public B{};",
    "template default": "template<typename T=int> T F(T a){return(a);}",
    "global by a call": "int g=GetLastError();",
    "object by value": "class A{public: int x;}; A F(void){ A a; a.x=1; return(a); }",
    "pointer returned": "class A{public: int x;}; A *F(void){ return(NULL); }",
    "pragma": "#pragma once",
    "if": "#if 1\n#endif",
    "pasting": "#define F(x) x##1",
    "umlaut": 'void F(void){ Print("ä"); }',
    "umlaut in a comment": "// ä",
    "long input": f"input int {'x' * 64}=1;",
    "computed input": "input int x;",
    "odd time": "datetime t=D'tomorrow';",
    "odd colour": "color c=C'red';",
    "missing include": "#include <Nowhere.mqh>",
    "unreadable": "void F(void){ int a=1`; }",
}


@pytest.mark.parametrize("text", LINTED.values(), ids=LINTED)
def test_the_linter_refuses(text: str, tmp_path: Path):
    """What g++ would take, or take for something else, is found before."""
    main = tmp_path / "Bad.mq5"
    main.write_text(HEAD + text + "\n" + END, "utf-8")
    with pytest.raises(NotCompiled):
        translated(main)


def test_what_hides_nothing_is_taken(tmp_path: Path):
    """Calls, casts, functions and uses of a global are no declarations of its name."""
    main = tmp_path / "Good.mq5"
    main.write_text(
        HEAD
        + "input int Lots=1;\nint Sum(const int a,const int b){ return(a+(int)Lots*b); }\n"
        + "double Many=Lots,Few;\n"
        + "void Use(void){ int a=Sum(Lots,2),b=a; Few=(double)Lots; Print(a,b,Few,Lots); }\n"
        + END,
        "utf-8",
    )
    assert "Lots" in translated(main)


def test_what_is_missing_is_named(tmp_path: Path):
    """Properties that a published EA needs."""
    main = tmp_path / "Bare.mq5"
    main.write_text(END)
    with pytest.raises(NotCompiled) as refused:
        translated(main)

    assert str(refused.value).count("missing #property") == 3


def test_includes_have_guards_and_no_properties(tmp_path: Path):
    """MetaEditor would include twice, and ignores the properties."""
    (tmp_path / "Include").mkdir()
    (tmp_path / "Include" / "Part.mqh").write_text('#property version "2"\nint part=1;\n')
    main = tmp_path / "Main.mq5"
    main.write_text(HEAD + "#include <Part.mqh>\n" + END)
    with pytest.raises(NotCompiled) as refused:
        translated(main)

    assert "guard" in str(refused.value)
    assert "ignores #property" in str(refused.value)


def test_each_language_sees_its_own_branch(tmp_path: Path):
    """``#ifdef __MQL4__`` is decided before the linter looks."""
    text = (
        "#ifdef __MQL4__\nint only4=1;\n#else\nint only5=1;\n#endif\n#ifndef __MQL5__\nint b=4;\n"
    )
    found = {}
    for language in "45":
        main = tmp_path / f"Main.mq{language}"
        main.write_text(HEAD + text + "#endif\n" + END)
        found[language] = translated(main)

    assert ("only4" in found["4"], "only5" in found["4"]) == (True, False)
    assert ("only4" in found["5"], "only5" in found["5"]) == (False, True)
    assert ("int b" in found["4"], "int b" in found["5"]) == (True, False)


REFUSED_BY_COMPILER = """
input int InputX=1;
enum E {E_A,E_B};
int global_x=1;
void Changes(int &a){ a=1; }
void Takes(int a){ Print(a); }
void N01(void){ InputX=2; }
void N02(void){ string s="a"+5; Print(s); }
void N03(void){ E e=1; Print((int)e); }
void N04(void){ long l=5; int i=l; Print(i); }
void N05(void){ double d=1.5; int i=d; Print(i); }
void N06(void){ uint u=1; int i=-1; if(i<u) Print("x"); }
void N08(void){ MqlTradeRequest q={}; MqlTradeResult r={}; OrderSend(q,r); }
void N09(void){ Print(undeclared); }
void N10(void){ Takes(); }
void N11(const int a){ a=2; }
void N12(void){ Later(); }
void N13(void){ Changes(5); }
void N14(void){ int a=1; { int a=2; Print(a); } Print(a); }
void N15(void){ int a[]={1,2}; long i=1; Print(a[i]); }
void N16(void){ string s="a"; switch(s){case "a": break;} }
void N17(void){ string s=5; Print(s); }
void N18(void){ int x=1; if(x=2) Print("x"); }
void Later(void){ }
"""


# clang follows the flow of a function only where all else is right
REFUSED_BY_FLOW = """
int N07(int x){ if(x>0) return(1); }
"""


@pytest.mark.parametrize("code", [REFUSED_BY_COMPILER, REFUSED_BY_FLOW], ids=["names", "flow"])
def test_the_compiler_refuses(tmp_path: Path, mql_cache: Path, code: str):
    """Each function that begins with N has one fault, and each is found."""
    main = tmp_path / "Bad.mq5"
    main.write_text(HEAD + code + END)
    with pytest.raises(NotCompiled) as refused:
        compiled(Build(main, mql_cache))
    lines = main.read_text().split("\n")
    wrong = {number for number, line in enumerate(lines, 1) if re.match(r"\w+ N\d\d", line)}
    place = r"Bad\.mq5:(\d+):\d+:\s+(?:error|required from here|note: in instantiation)"
    found = {int(one) for one in re.findall(place, str(refused.value))}

    assert wrong - found == set()
    assert found <= wrong


STOPPED = {
    1: "an index beyond the end",
    2: "an integer divided by zero",
    3: "a double divided by zero",
    4: "%d with a long",
    5: "%s with a number",
    6: "too few arguments of a format",
    7: "a method of no object",
    8: "text that is not ASCII, without CP_UTF8",
    9: "a character beyond the end",
    10: "too many arguments of a format",
    11: "a negative index",
}
RUNNING = """
input int Case=0;
class A { public: int x; void F(void){ x=1; } };
A *none=NULL;
int OnInit(void)
  {
   int a[];
   ArrayResize(a,2);
   int zero=MathRand()*0;
   double nothing=MathRand()*0.0;
   string s="abc";
   switch(Case)
     {
      case 1: a[zero+2]=1; break;
      case 2: Print(5/zero); break;
      case 3: Print(5.0/nothing); break;
      case 4: Print(StringFormat("%d",(long)1)); break;
      case 5: Print(StringFormat("%s",5)); break;
      case 6: Print(StringFormat("%d %d",5)); break;
      case 7: none.F(); break;
      case 8: { uchar b[]; StringToCharArray(ShortToString(233),b); break; }
      case 9: Print(s[zero+3]); break;
      case 10: Print(StringFormat("%d",5,6)); break;
      case 11: a[zero-1]=1; break;
     }
   return(INIT_SUCCEEDED);
  }
"""


def test_the_program_is_stopped(tmp_path: Path, mql_cache: Path):
    """Faults that only show when the program runs end it, as the terminal would."""
    main = tmp_path / "Running.mq5"
    main.write_text(HEAD + RUNNING)
    program = compiled(Build(main, mql_cache))
    config = tmp_path / "config.json"
    config.write_text('{"symbols":[{"info":{"name":"EURUSD","digits":5,"point":1e-05}}]}')
    lived = []
    for case in (0, *STOPPED):
        done = subprocess.run(
            [program, config, f"Case={case}"], stdin=subprocess.DEVNULL, capture_output=True
        )
        if done.returncode == 0:
            lived.append(case)

    assert lived == [0]
