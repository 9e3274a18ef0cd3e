import java.nio.file.*;
import org.apache.flink.table.api.*;

/** Runs the statements of a file on a Flink in this process: what a SELECT gives is printed, an INSERT is waited for. */
public class SqlScript {
    public static void main(String[] arguments) throws Exception {
        var script = Files.readString(Path.of(arguments[0]))
            .replace("'mailroom.", "'" + System.getenv("MAILROOM_TOPIC_PREFIX") + ".")
            .replace("127.0.0.1:19092", System.getenv("MAILROOM_KAFKA"));
        if (arguments.length > 1)
            script = script.replace("TICKET", arguments[1]).replace("PORTAL", arguments[2]).replace("TEXT", arguments[3]);
        var tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        tables.getConfig().set("parallelism.default", "1");
        for (var statement : script.split(";")) {
            if (statement.isBlank()) continue;
            var result = tables.executeSql(statement);
            if (statement.strip().startsWith("INSERT")) result.await();
            if (statement.strip().startsWith("SELECT"))
                for (var rows = result.collect(); rows.hasNext();) {
                    var row = rows.next();
                    System.out.println(row.getField(0) + " " + row.getField(1) + " " + row.getField(2));
                }
        }
    }
}
