import Reports
import Testing

@Suite struct TextTableTests {
  @Test func textsFromFilesAreMadeSafe() {
    var table = TextTable([("name", .left)])
    table.add(["a\u{1B}]0;b\u{7}"])
    #expect(table.lines.last == #"a\u{1b}]0;b\u{7}"#)
  }

  @Test func columnsAreAlignedAndLinesEndWithoutSpaces() {
    var table = TextTable([("name", .left), ("n", .right)])
    table.add(["a", "1"])
    table.add(["long name", "100"])
    #expect(table.lines == ["name         n", "a            1", "long name  100"])
  }
}
